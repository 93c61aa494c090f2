from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from django.contrib.admin.views.main import ALL_VAR, ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.formats import number_format

CURSOR_PARAMETERS = ("after", "before", "last")


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than `max_count` rows and pages through no more, so that no page reads a whole table.

    For lists in any order, and for completion in the host's own forms. Those in the order of their keys go further,
    as `KeysetChangeList`.
    """

    max_count: ClassVar[int] = 1_000
    object_list: QuerySet[Any]

    @cached_property
    def _counted(self) -> int:
        return self.object_list.order_by()[: self.max_count + 1].count()

    @property
    def count(self) -> int:
        return min(self._counted, self.max_count)

    @property
    def is_capped(self) -> bool:
        return self._counted > self.max_count

    @property
    def shown_count(self) -> str:
        return f"{number_format(self.count, force_grouping=True)}{'+' if self.is_capped else ''}"

    def validate_number(self, number: Any) -> int:
        # The admin answers a page that is no more by dropping every filter: show the nearest page instead.
        return min(max(int(number), 1), self.num_pages)


@dataclass(frozen=True)
class PageRows:
    rows: list[Any]
    has_more: bool


@dataclass(frozen=True)
class KeysetPage:
    rows: list[Any]
    has_earlier: bool
    has_later: bool


class KeysetChangeList(ChangeList):
    """A list in the order of its keys, newest first, of which an address names a place: `after` or `before` a key.

    So each page costs the same, wherever it is, and none is read before it is asked for.
    """

    max_count: ClassVar[int] = 10_000
    has_places = True

    formset = None

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        """All of them, for actions."""
        self.places = {name: request.GET.get(name, "") for name in CURSOR_PARAMETERS if name in request.GET}
        for name in (*CURSOR_PARAMETERS, ALL_VAR):
            self.params.pop(name, None)
            self.filter_params.pop(name, None)
        return super().get_queryset(request, exclude_parameters).order_by("-pk")

    def get_results(self, request: HttpRequest) -> None:
        self.full_result_count = None
        self.show_full_result_count = False
        self.show_admin_actions = True
        self.show_all = self.can_show_all = self.multi_page = False

    def rows(self, *, limit: int, after: Any = None, before: Any = None, is_reversed: bool = False) -> PageRows:
        """Those that follow `after`, or directly precede `before`, or the first from either end."""
        is_ascending = is_reversed or before is not None
        rows = self.queryset.order_by("pk" if is_ascending else "-pk")
        if after is not None:
            rows = rows.filter(pk__lt=after)
        elif before is not None:
            rows = rows.filter(pk__gt=before)
        found = list(rows[: limit + 1])
        page = found[:limit] if before is None else found[:limit][::-1]
        return PageRows(page, has_more=len(found) > limit)

    def url(self, *more: tuple[str, str]) -> str:
        """The address of the list that asks for the same and for this place."""
        return self.get_query_string(dict(more))

    @cached_property
    def result_list(self) -> list[Any]:
        return self._place.rows

    @cached_property
    def result_count(self) -> int:  # type: ignore[override]
        return min(self._counted, self._max_count)

    @property
    def is_capped(self) -> bool:
        return self._counted > self._max_count

    @property
    def shown_count(self) -> str:
        return f"{number_format(self.result_count, force_grouping=True)}{'+' if self.is_capped else ''}"

    @property
    def first_url(self) -> str | None:
        return self.url() if self._place.has_earlier else None

    @property
    def previous_url(self) -> str | None:
        if not self._place.has_earlier:
            return None
        rows = self._place.rows
        return self.url(("before", str(rows[0].pk)) if rows else ("last", "1"))

    @property
    def next_url(self) -> str | None:
        return self.url(("after", str(self._place.rows[-1].pk))) if self._place.has_later else None

    @property
    def last_url(self) -> str | None:
        return self.url(("last", "1")) if self._place.has_later else None

    @cached_property
    def _place(self) -> KeysetPage:
        return self.read_page()

    def read_page(self) -> KeysetPage:
        """Return the page that the cursor in the URL names."""
        limit = self.list_per_page
        after, before = (self._cursor(self.places.get(name, "")) for name in ("after", "before"))
        if "last" in self.places:
            page = self.rows(limit=limit, is_reversed=True)
            return KeysetPage(page.rows[::-1], has_earlier=page.has_more, has_later=False)
        if before is not None:
            page = self.rows(limit=limit, before=before)
            if page.has_more:
                return KeysetPage(page.rows, has_earlier=True, has_later=True)
            after = None  # the first page, and not just a part of it
        page = self.rows(limit=limit, after=after)
        return KeysetPage(page.rows, has_earlier=after is not None, has_later=page.has_more)

    def _cursor(self, text: str) -> Any:
        """A place in the order, whether or not there is such a row."""
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None

    @property
    def _max_count(self) -> int:
        return self.max_count

    @cached_property
    def _counted(self) -> int:
        if not (self._place.has_earlier or self._place.has_later):
            return len(self._place.rows)
        return self._count(self._max_count + 1)

    def _count(self, maximum: int) -> int:
        """How many there are, or `maximum` if there are more."""
        rows: QuerySet[Any] = self.queryset
        return rows.order_by()[:maximum].count()
