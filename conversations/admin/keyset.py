"""Lists that never read a whole table: keyset pagination, and counts up to a maximum."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from django.contrib.admin.views.main import ALL_VAR, ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.formats import number_format

from conversations.db.pages import Page, read_page

CURSOR_PARAMETERS = ("after", "before", "last")


@dataclass(frozen=True)
class CappedCount:
    """A number of rows that were counted up to a maximum, in text "10,000+" if there are more."""

    number: int
    is_capped: bool

    @classmethod
    def cut(cls, number: int, maximum: int) -> CappedCount:
        """Return the count for a number that was counted up to `maximum + 1`."""
        return cls(min(number, maximum), is_capped=number > maximum)

    @property
    def formatted_number(self) -> str:
        return number_format(self.number, force_grouping=True)

    def __str__(self) -> str:
        return f"{self.formatted_number}{'+' if self.is_capped else ''}"


def count_rows(rows: QuerySet[Any], maximum: int) -> CappedCount:
    return CappedCount.cut(rows.order_by()[: maximum + 1].count(), maximum)


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Paginator that counts and pages through the first `max_count` rows only.

    It serves lists that can be sorted by any column, and autocomplete fields of your project. A `KeysetChangeList`
    reaches all rows.
    """

    max_count: ClassVar[int] = 1_000
    object_list: QuerySet[Any]

    @cached_property
    def row_count(self) -> CappedCount:
        return count_rows(self.object_list, self.max_count)

    @property
    def count(self) -> int:
        return self.row_count.number

    def validate_number(self, number: Any) -> int:
        # For a page that does not exist the admin would drop every filter: show the nearest page instead.
        return min(max(int(number), 1), self.num_pages)


@dataclass(frozen=True)
class ListPage:
    """The rows of one page of a change list, and whether it has pages before and after."""

    rows: list[Any]
    has_earlier: bool
    has_later: bool


class KeysetChangeList(ChangeList):
    """Change list with keyset pagination, newest first: `?after=<pk>`, `?before=<pk>` or `?last=1` for page numbers.

    It reads its page only when the template asks for the rows: actions, exports and links use its queryset.
    """

    max_count: ClassVar[int] = 10_000
    has_cursors = True  # for the template
    formset = None

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        """Return the rows of all pages, for actions."""
        self.cursors = {name: request.GET.get(name, "") for name in CURSOR_PARAMETERS if name in request.GET}
        for name in (*CURSOR_PARAMETERS, ALL_VAR):
            self.params.pop(name, None)
            self.filter_params.pop(name, None)
        return super().get_queryset(request, exclude_parameters).order_by("-pk")

    def get_results(self, request: HttpRequest) -> None:
        self.full_result_count = None
        self.show_full_result_count = False
        self.show_all = self.can_show_all = self.multi_page = False

    def read_rows(self, *, limit: int, after: Any = None, before: Any = None, is_reversed: bool = False) -> Page[Any]:
        """Return the rows after or directly before a cursor, or else the first rows of the list or the reversed list.

        Rows before a cursor are in the order of the list.
        """
        if before is not None:
            return read_page(self.queryset, key="pk", limit=limit, is_ascending=True, after=before).reversed()
        return read_page(self.queryset, key="pk", limit=limit, is_ascending=is_reversed, after=after)

    def read_list_page(self) -> ListPage:
        """Return the page that the cursor in the URL names."""
        limit = self.list_per_page
        after, before = (self.parse_cursor(self.cursors.get(name, "")) for name in ("after", "before"))
        if "last" in self.cursors:
            page = self.read_rows(limit=limit, is_reversed=True)
            return ListPage(page.rows[::-1], has_earlier=page.has_more, has_later=False)
        if before is not None:
            page = self.read_rows(limit=limit, before=before)
            if page.has_more:
                return ListPage(page.rows, has_earlier=True, has_later=True)
            after = None  # Fewer rows than a page precede the cursor: show the whole first page.
        page = self.read_rows(limit=limit, after=after)
        return ListPage(page.rows, has_earlier=after is not None, has_later=page.has_more)

    def parse_cursor(self, text: str) -> Any:
        """Return the key of a cursor, or None if the text is none. No row needs to have the key."""
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None

    def count_results(self) -> CappedCount:
        rows: QuerySet[Any] = self.queryset
        return count_rows(rows, self.count_limit)

    @property
    def count_limit(self) -> int:
        return self.max_count

    def url(self, *parameters: tuple[str, str]) -> str:
        """Return the URL of the list with its filters and these parameters."""
        return self.get_query_string(dict(parameters))

    @cached_property
    def page(self) -> ListPage:
        return self.read_list_page()

    @cached_property
    def result_list(self) -> list[Any]:
        return self.page.rows

    @property
    def show_admin_actions(self) -> bool:  # type: ignore[override]
        """Whether there are rows. It is no attribute, as in Django, because the rows are read later."""
        return bool(self.result_list)

    @cached_property
    def row_count(self) -> CappedCount:
        if self.page.has_earlier or self.page.has_later:
            return self.count_results()
        return CappedCount.cut(len(self.page.rows), self.count_limit)

    @property
    def result_count(self) -> int:  # type: ignore[override]
        return self.row_count.number

    @property
    def first_url(self) -> str | None:
        return self.url() if self.page.has_earlier else None

    @property
    def previous_url(self) -> str | None:
        if not self.page.has_earlier:
            return None
        rows = self.page.rows
        return self.url(("before", str(rows[0].pk)) if rows else ("last", "1"))

    @property
    def next_url(self) -> str | None:
        return self.url(("after", str(self.page.rows[-1].pk))) if self.page.has_later else None

    @property
    def last_url(self) -> str | None:
        return self.url(("last", "1")) if self.page.has_later else None
