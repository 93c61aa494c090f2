"""Keyset pagination: a page costs the same wherever it begins, because an index range scan reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import QuerySet

Row = TypeVar("Row")


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Rows in the order in which they were read, and whether more rows follow them."""

    rows: list[Row]
    has_more: bool

    @classmethod
    def cut(cls, rows: list[Row], limit: int) -> Page[Row]:
        """Return the first `limit` of the rows. A query asks for one row more to know whether more rows follow."""
        return cls(rows[:limit], has_more=len(rows) > limit)

    def reversed(self) -> Page[Row]:
        """Return the page in the opposite order. More rows then precede it."""
        return Page(self.rows[::-1], self.has_more)


def read_page(rows: QuerySet[Any], *, key: str, limit: int, is_ascending: bool, after: Any = None) -> Page[Any]:
    """Return the `limit` rows that follow the key `after` in the order of `key`, or the first rows for None."""
    if after is not None:
        rows = rows.filter(**{f"{key}__gt" if is_ascending else f"{key}__lt": after})
    return Page.cut(list(rows.order_by(key if is_ascending else f"-{key}")[: limit + 1]), limit)
