from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import cached_property
from typing import ClassVar

from django.http import QueryDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from conversations.admin.transcript.blocks import MAX_BLOCKS, Block, flatten
from conversations.admin.transcript.item import TranscriptItem
from conversations.admin.transcript.item_types import ITEM_DISPLAYS
from conversations.admin.transcript.page_urls import TOGGLED_PARAMETER, PageURLs
from conversations.admin.transcript.pairing import pair
from conversations.models import Conversation, Item, ItemQuerySet
from conversations.models.item import TypeStatistics
from conversations.rendering.markdown import MarkdownPage, has_marks
from conversations.schema.json_limits import UNSTORABLE_CHARACTER

MAX_PAGE_CHARACTERS = 1_000_000
MIN_BLOCK_CHARACTERS = 2_000  # of each block, even if the page is full
MIN_ITEM_BLOCKS = 10  # of each item, even if the page is full


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
        # A link to an item must show the item even if it is not a message.
        show = parameters.get("show", preferences.get("show"))
        self.messages_only = show == "messages" and not self.requested_item_id

    @cached_property
    def items(self) -> list[TranscriptItem]:
        items = [
            self.item_class(
                row,
                is_raw=self.is_raw != (row.item_id in self.toggled_item_ids),
                is_current=row.item_id == self.requested_item_id,
            )
            for row in self._rows
        ]
        for item in items:
            item.url = self._urls.item(item.item_id)
            item.switch_url = self._urls.toggled_item(item.item_id)
            if approval := item.facts.get("approval_request_id"):
                item.fact_urls = {"approval_request_id": self._urls.item(approval)}
        pair(items, self._stored_items, self._urls.item)
        _limit_blocks(items)
        blocks = list(flatten(block for item in items for block in item.blocks))
        _limit_size(blocks)
        render_markdown(blocks)
        return items

    @cached_property
    def statistics(self) -> list[TypeStatistics]:
        return self._stored_items.statistics()

    @property
    def counts(self) -> list[tuple[str, int]]:
        return [(_type_label(row.type), row.count) for row in self.statistics]

    @property
    def item_count(self) -> int:
        return sum(row.count for row in self.statistics)

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
        seconds = round(self.duration.total_seconds())
        return gettext("%(seconds)d s") % {"seconds": seconds} if seconds < 60 else str(timedelta(seconds=seconds))

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
        if not self.requested_item_id or UNSTORABLE_CHARACTER.search(self.requested_item_id):
            return None
        items = self._stored_items.filter(item_id=self.requested_item_id).order_by("pk")
        return items.values_list("position", flat=True).first()

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


def _limit_blocks(items: Iterable[TranscriptItem]) -> None:
    """Drop the last blocks of items that would make the page too large."""
    left = MAX_BLOCKS
    for item in items:
        item.limit_blocks(max(left, MIN_ITEM_BLOCKS))
        left -= item.block_count


def _limit_size(blocks: Iterable[Block]) -> None:
    """Truncate the blocks that would make the page too large."""
    characters = MAX_PAGE_CHARACTERS
    for block in blocks:
        block.limit = min(block.limit, max(characters, MIN_BLOCK_CHARACTERS))
        characters -= block.size


def render_markdown(blocks: Iterable[Block]) -> None:
    """Render the Markdown of the page. A text that is truncated or exceeds the page's limits stays plain."""
    page = MarkdownPage()
    for block in blocks:
        if block.kind == "markdown" and has_marks(block.whole_text) and not block.is_truncated:
            block.html = page.render(block.whole_text)
            if block.html is None:
                block.note = _("Shown as plain text because formatting it would take too long.")


def _type_label(item_type: str) -> str:
    return str(ITEM_DISPLAYS[item_type].label) if item_type in ITEM_DISPLAYS else item_type


def _position(parameters: QueryDict, name: str) -> int | None:
    value = parameters.get(name, "")
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 19 else None
