from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar

from django.http import QueryDict

from conversations.admin.items import ShownItem
from conversations.models import Conversation, Item


class Transcript:
    """One page of a conversation's items in their order: those after a position or before one, else the first."""

    items_per_page: ClassVar[int] = 100
    item_class: ClassVar[type[ShownItem]] = ShownItem

    def __init__(self, conversation: Conversation, *, parameters: QueryDict) -> None:
        self.conversation = conversation
        self.parameters = parameters
        self.after = _position(parameters, "after")
        self.before = _position(parameters, "before")

    @cached_property
    def items(self) -> list[ShownItem]:
        return [self.item_class(row) for row in self._rows]

    @cached_property
    def has_earlier(self) -> bool:
        first = self._rows[0].position if self._rows else self.conversation.last_position + 1
        return self.conversation.items.filter(position__lt=first).exists()

    @cached_property
    def has_later(self) -> bool:
        return bool(self._rows) and self.conversation.items.filter(position__gt=self._rows[-1].position).exists()

    @property
    def first_url(self) -> str:
        return self._url({})

    @property
    def earlier_url(self) -> str:
        return self._url({"before": self._rows[0].position}) if self._rows else self.last_url

    @property
    def later_url(self) -> str:
        return self._url({"after": self._rows[-1].position}) if self._rows else self.last_url

    @property
    def last_url(self) -> str:
        return self._url({"before": self.conversation.last_position + 1})

    @cached_property
    def _rows(self) -> list[Item]:
        items = self.conversation.items.all()
        if self.before is not None:
            before = items.filter(position__lt=self.before)
            return before.page(limit=self.items_per_page, order="desc").items[::-1]
        if self.after is not None:
            items = items.filter(position__gt=self.after)
        return items.page(limit=self.items_per_page, order="asc").items

    def _url(self, place: Mapping[str, int]) -> str:
        parameters = self.parameters.copy()
        for name in ("after", "before"):
            parameters.pop(name, None)
        parameters.update({name: str(position) for name, position in place.items()})
        return f"?{parameters.urlencode()}#transcript"


def _position(parameters: QueryDict, name: str) -> int | None:
    value = parameters.get(name, "")
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 19 else None
