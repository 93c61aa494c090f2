from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from typing import ClassVar

from django.http import QueryDict
from django.utils.translation import gettext

from conversations.admin.charts import format_count
from conversations.admin.transcript.durations import format_duration
from conversations.admin.transcript.entries import Entry, group_items
from conversations.admin.transcript.item import TranscriptItem
from conversations.admin.transcript.item_types import type_label
from conversations.admin.transcript.page_rendering import render_page
from conversations.admin.transcript.page_urls import FIND_PARAMETER, TOGGLED_PARAMETER, PageURLs
from conversations.admin.transcript.pairing import pair
from conversations.admin.transcript.problems import Problems
from conversations.admin.transcript.search import TranscriptSearch
from conversations.models import Conversation, Item, ItemQuerySet
from conversations.models.item import TypeStatistics
from conversations.rendering.marks import TextPattern
from conversations.schema.json_limits import UNSTORABLE_CHARACTER


class Transcript:
    """One page of the items of a conversation, in order: after a position, before one, or around an item.

    The query parameters choose the page and override the `preferences` of the reader for how items are shown.
    """

    items_per_page: ClassVar[int] = 100
    items_before_item: ClassVar[int] = 10
    max_loaded_characters: ClassVar[int] = 32_000_000  # of JSON that a page loads, estimated from the average item
    item_class: ClassVar[type[TranscriptItem]] = TranscriptItem

    def __init__(
        self,
        conversation: Conversation,
        *,
        items: ItemQuerySet,
        parameters: QueryDict,
        preferences: Mapping[str, str] | None = None,
    ) -> None:
        self.conversation = conversation
        self._stored_items = items
        self._urls = PageURLs(parameters)
        self.after = _position(parameters, "after")
        self.before = _position(parameters, "before")
        self.requested_item_id = parameters.get("item", "")
        preferences = preferences or {}
        self.is_raw = parameters.get("view", preferences.get("view")) == "raw"
        # These items are shown raw on a rendered page, or rendered on a raw page.
        self.toggled_item_ids = set(parameters.getlist(TOGGLED_PARAMETER))
        self.find_text = parameters.get(FIND_PARAMETER, "").strip()
        self.pattern = TextPattern.parse(self.find_text)
        # A link to an item and a search must show items that are not messages too.
        show = parameters.get("show", preferences.get("show"))
        self.messages_only = show == "messages" and not (self.requested_item_id or self.pattern)

    @property
    def items(self) -> list[TranscriptItem]:
        return self._rendered_items

    @cached_property
    def _rendered_items(self) -> list[TranscriptItem]:
        items = [
            self.item_class(
                row,
                is_raw=self.is_raw != (row.item_id in self.toggled_item_ids),
                is_current=row.position == self._requested_position,
            )
            for row in self._rows
        ]
        for item in items:
            item.url = self._urls.item(item.item_id)
            item.switch_url = self._urls.toggled_item(item.item_id)
            if approval := item.facts.get("approval_request_id"):
                item.fact_urls = {"approval_request_id": self._urls.item(approval)}
        pair(items, self._stored_items, self._urls.item)
        render_page(items, self.pattern)
        return items

    @property
    def entries(self) -> list[Entry]:
        """The boxes of the page: outputs are in the boxes of their calls, and parallel calls share an entry."""
        return list(group_items(self._rendered_items))

    @cached_property
    def statistics(self) -> list[TypeStatistics]:
        return self._stored_items.statistics()

    @cached_property
    def search(self) -> TranscriptSearch | None:
        """The search for `find_text` in all pages. It begins at the requested item, or at the first match."""
        if not self.pattern:
            return None
        return TranscriptSearch(
            self._stored_items,
            self.pattern,
            current_position=lambda: self._requested_position,
            item_url=self._urls.item,
            max_characters=self.max_loaded_characters,
        )

    @cached_property
    def problems(self) -> Problems:
        """The problems of the whole conversation, not only of this page."""
        if not self.statistics:
            return Problems()
        maximum = self.max_loaded_characters
        return Problems.find(self._stored_items, item_url=self._urls.item, max_characters=maximum)

    @property
    def counts(self) -> list[tuple[str, str]]:
        return [(type_label(row.type), format_count(row.count)) for row in self.statistics]

    @property
    def item_count(self) -> int:
        return sum(row.count for row in self.statistics)

    @property
    def item_count_text(self) -> str:
        return format_count(self.item_count)

    @property
    def characters(self) -> int:
        return sum(row.characters for row in self.statistics)

    @property
    def duration(self) -> timedelta:
        if not self.statistics:
            return timedelta()
        last = max(row.last_at for row in self.statistics)
        return last - min(row.first_at for row in self.statistics)

    @property
    def formatted_duration(self) -> str:
        return format_duration(self.duration)

    @property
    def is_requested_item_missing(self) -> bool:
        return bool(self.requested_item_id) and self._requested_position is None

    @property
    def has_earlier(self) -> bool:
        first = self._rows[0].position if self._rows else self.conversation.last_position + 1
        return any(row.first_position < first for row in self._visible_statistics)

    @property
    def has_later(self) -> bool:
        return bool(self._rows) and any(row.last_position > self._rows[-1].position for row in self._visible_statistics)

    @property
    def range_text(self) -> str:
        """The numbers of the page's items, with the number of all items unless some are hidden or deleted."""
        if not self._rows:
            return ""
        first, last = format_count(self._rows[0].position), format_count(self._rows[-1].position)
        if self.messages_only or self.item_count != self.conversation.last_position:
            return f"#{first}\u2013{last}"
        return gettext("%(first)s–%(last)s of %(total)s") % {  # noqa: RUF001
            "first": first,
            "last": last,
            "total": format_count(self.item_count),
        }

    @property
    def other_parameters(self) -> list[tuple[str, str]]:
        return self._urls.other_parameters()

    @property
    def parameters_without_search(self) -> list[tuple[str, str]]:
        return self._urls.other_parameters(FIND_PARAMETER)

    @property
    def end_search_url(self) -> str:
        return self._urls.current_page(**{FIND_PARAMETER: ""})

    @property
    def first_url(self) -> str:
        return self._urls.page()

    @property
    def earlier_url(self) -> str:
        return self._urls.page(before=self._rows[0].position) if self._rows else self.last_url

    @property
    def later_url(self) -> str:
        return self._urls.page(after=self._rows[-1].position) if self._rows else self.last_url

    @property
    def last_url(self) -> str:
        return self._urls.page(before=self.conversation.last_position + 1)

    @property
    def new_items_url(self) -> str:
        """The URL of the items that are added after this page was opened, and of some before them."""
        return self._urls.page(after=max(self.conversation.last_position - self.items_before_item, 0))

    @property
    def rendered_url(self) -> str:
        return self._urls.current_page(view="rendered")

    @property
    def raw_url(self) -> str:
        return self._urls.current_page(view="raw")

    @property
    def all_url(self) -> str:
        return self._urls.current_page(show="all")

    @property
    def messages_url(self) -> str:
        return self._urls.current_page(show="messages", item="")

    @property
    def _visible_statistics(self) -> list[TypeStatistics]:
        return [row for row in self.statistics if row.type == "message" or not self.messages_only]

    @cached_property
    def _requested_position(self) -> int | None:
        if self.search and not self._names_position:
            return next((match.position for match in self.search.matches), None)
        if not self.requested_item_id or UNSTORABLE_CHARACTER.search(self.requested_item_id):
            return None
        items = self._stored_items.filter(item_id=self.requested_item_id).order_by("pk")
        position: int | None = items.values_list("position", flat=True).first()
        number = _number(self.requested_item_id)
        if position is None and number is not None:
            position = self._stored_items.filter(position=number).values_list("position", flat=True).first()
        return position

    @property
    def _names_position(self) -> bool:
        """Whether the URL has a position. If not, a search begins at its first match."""
        return bool(self.requested_item_id) or self.after is not None or self.before is not None

    @property
    def _limit(self) -> int:
        """The number of items of a page: fewer if items are so long that a full page would take too much memory."""
        fitting = self.max_loaded_characters * self.item_count // max(self.characters, 1)
        return min(self.items_per_page, max(fitting, 1))

    @cached_property
    def _rows(self) -> list[Item]:
        items = self._stored_items
        if self.messages_only:
            items = items.filter(type="message")
        if self._requested_position is not None:
            items = items.filter(position__gte=self._requested_position - self.items_before_item)
        elif self.before is not None:
            before = items.filter(position__lt=self.before)
            return before.page(limit=self._limit, order="desc").rows[::-1]
        elif self.after is not None:
            items = items.filter(position__gt=self.after)
        return items.page(limit=self._limit, order="asc").rows


def _position(parameters: QueryDict, name: str) -> int | None:
    return _number(parameters.get(name, ""))


def _number(value: str) -> int | None:
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 19 else None
