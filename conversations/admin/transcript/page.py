from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from typing import ClassVar

from django.http import QueryDict

from conversations.admin.transcript.blocks import flatten
from conversations.admin.transcript.item import ShownItem
from conversations.admin.transcript.item_types import TYPE_NAMES
from conversations.admin.transcript.pairing import pair
from conversations.models import Conversation, Item, ItemQuerySet
from conversations.models.item import TypeStatistics
from conversations.schema.json_limits import UNSTORABLE_CHARACTER

POSITION_PARAMETERS = ("after", "before", "item")
MAX_PAGE_CHARACTERS = 1_000_000
MAX_MARKDOWN_CHARACTERS = 150_000  # of a page: what takes half a second
MIN_PART_CHARACTERS = 2_000


class Transcript:
    """One page of a conversation's items in their order: those after a position, before one or around an item.

    The parameters of its address choose the place and, with those kept for the reader, the way that items are shown.
    """

    items_per_page: ClassVar[int] = 100
    items_before_item: ClassVar[int] = 10
    max_loaded_characters: ClassVar[int] = 32_000_000
    item_class: ClassVar[type[ShownItem]] = ShownItem

    def __init__(
        self,
        conversation: Conversation,
        *,
        items: ItemQuerySet,
        parameters: QueryDict,
        choices: Mapping[str, str] | None = None,
    ) -> None:
        self.conversation = conversation
        self._stored_items = items
        self.parameters = parameters
        self.after = _position(parameters, "after")
        self.before = _position(parameters, "before")
        self.asked_item_id = parameters.get("item", "")
        choices = choices or {}
        self.is_raw = parameters.get("view", choices.get("view")) == "raw"
        self.raw_item_ids = set(parameters.getlist("raw"))
        # A link to an item leads to it, whatever its type.
        self.messages_only = parameters.get("show", choices.get("show")) == "messages" and not self.asked_item_id

    @cached_property
    def items(self) -> list[ShownItem]:
        items = [
            self.item_class(
                row,
                is_raw=self.is_raw != (row.item_id in self.raw_item_ids),
                is_current=row.item_id == self.asked_item_id,
            )
            for row in self._rows
        ]
        for item in items:
            item.url = self._item_url(item.item_id)
            item.switch_url = self._switch_url(item.item_id)
            if approval := item.facts.get("approval_request_id"):
                item.fact_urls = {"approval_request_id": self._item_url(approval)}
        pair(items, self._stored_items, self._item_url)
        _cut(items)
        return items

    @cached_property
    def statistics(self) -> list[TypeStatistics]:
        return self._stored_items.statistics()

    @property
    def counts(self) -> list[tuple[str, int]]:
        return [(str(TYPE_NAMES.get(row.type, row.type)), row.count) for row in self.statistics]

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
    def shown_duration(self) -> str:
        return str(timedelta(seconds=round(self.duration.total_seconds())))

    @property
    def lacks_asked_item(self) -> bool:
        return bool(self.asked_item_id) and self._asked_position is None

    @property
    def has_earlier(self) -> bool:
        first = self._rows[0].position if self._rows else self.conversation.last_position + 1
        return any(row.first_position < first for row in self._shown_statistics)

    @property
    def has_later(self) -> bool:
        return bool(self._rows) and any(row.last_position > self._rows[-1].position for row in self._shown_statistics)

    @property
    def first_url(self) -> str:
        return self._url()

    @property
    def earlier_url(self) -> str:
        return self._url(before=self._rows[0].position) if self._rows else self.last_url

    @property
    def later_url(self) -> str:
        return self._url(after=self._rows[-1].position) if self._rows else self.last_url

    @property
    def last_url(self) -> str:
        return self._url(before=self.conversation.last_position + 1)

    @property
    def rendered_url(self) -> str:
        return self._here(view="rendered")

    @property
    def raw_url(self) -> str:
        return self._here(view="raw")

    @property
    def all_url(self) -> str:
        return self._here(show="all")

    @property
    def messages_url(self) -> str:
        return self._here(show="messages", item="")

    @property
    def _shown_statistics(self) -> list[TypeStatistics]:
        return [row for row in self.statistics if row.type == "message" or not self.messages_only]

    @cached_property
    def _asked_position(self) -> int | None:
        if not self.asked_item_id or UNSTORABLE_CHARACTER.search(self.asked_item_id):
            return None
        return self._stored_items.filter(item_id=self.asked_item_id).values_list("position", flat=True).first()

    @property
    def _limit(self) -> int:
        """Fewer than a whole page where the items are so long that a page of them would fill the memory."""
        fitting = self.max_loaded_characters * self.item_count // max(self.characters, 1)
        return min(self.items_per_page, max(fitting, 1))

    @cached_property
    def _rows(self) -> list[Item]:
        items = self._stored_items
        if self.messages_only:
            items = items.filter(type="message")
        if self._asked_position is not None:
            items = items.filter(position__gte=self._asked_position - self.items_before_item)
        elif self.before is not None:
            before = items.filter(position__lt=self.before)
            return before.page(limit=self._limit, order="desc").items[::-1]
        elif self.after is not None:
            items = items.filter(position__gt=self.after)
        return items.page(limit=self._limit, order="asc").items

    def _url(self, fragment: str = "transcript", **parameters: int | str) -> str:
        """An address of this page with another place."""
        query = self.parameters.copy()
        for name in (*POSITION_PARAMETERS, "raw"):
            query.pop(name, None)
        query.update({name: str(value) for name, value in parameters.items()})
        return f"?{query.urlencode()}#{fragment}"

    def _here(self, **parameters: str) -> str:
        """The same place, shown in another way. An empty value takes the parameter out."""
        query = self.parameters.copy()
        query.pop("raw", None)
        for name, value in parameters.items():
            query[name] = value
            if not value:
                del query[name]
        return f"?{query.urlencode()}#transcript"

    def _item_url(self, item_id: str) -> str:
        """A link to an item that shows the same to everyone: without the reader's own choices."""
        query = self.parameters.copy()
        for name in (*POSITION_PARAMETERS, "raw", "view", "show"):
            query.pop(name, None)
        query["item"] = item_id
        return f"?{query.urlencode()}#item_{item_id}"

    def _switch_url(self, item_id: str) -> str:
        query = self.parameters.copy()
        raw = self.raw_item_ids ^ {item_id}
        query.setlist("raw", sorted(raw))
        return f"?{query.urlencode()}#item_{item_id}"


def _cut(items: list[ShownItem]) -> None:
    """Cut what would make the page too large or too slow: each part keeps its beginning."""
    characters, markdown_characters = MAX_PAGE_CHARACTERS, MAX_MARKDOWN_CHARACTERS
    for part in flatten(part for item in items for part in item.parts):
        part.limit = min(part.limit, max(characters, MIN_PART_CHARACTERS))
        characters -= part.size
        if part.kind == "markdown":
            markdown_characters -= part.size
            part.kind = "markdown" if markdown_characters >= 0 else "text"


def _position(parameters: QueryDict, name: str) -> int | None:
    value = parameters.get(name, "")
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 19 else None
