"""The search inside a transcript: the items of all its pages that have a text, and the links from one to the next."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from functools import cached_property

from django.utils.translation import gettext, ngettext

from conversations.admin.charts import format_count
from conversations.models import ItemQuerySet
from conversations.rendering.marks import TextPattern
from conversations.search.found_items import FoundItem, find_items


class TranscriptSearch:
    """The items that have what the reader searched for, seen from the item that the page marks, if it marks any."""

    def __init__(
        self,
        items: ItemQuerySet,
        pattern: TextPattern,
        *,
        current_position: Callable[[], int | None],
        item_url: Callable[[str], str],
        max_characters: int,
    ) -> None:
        self._items = items
        self._pattern = pattern
        self._item_url = item_url
        self._max_characters = max_characters
        self._current_position = current_position

    @property
    def matches(self) -> list[FoundItem]:
        return self._found[0]

    @property
    def is_complete(self) -> bool:
        """Whether all items were searched: there may be too many characters in them."""
        return self._found[1]

    @property
    def count_text(self) -> str:
        """Which match the current item is, and of how many, such as "3 of 17"."""
        number = len(self.matches)
        total = format_count(number) if self.is_complete else f"{format_count(number)}+"
        if number and self._is_match:
            return gettext("%(number)s of %(total)s") % {"number": format_count(self._index + 1), "total": total}
        return ngettext("%(total)s item", "%(total)s items", number) % {"total": total}

    @property
    def previous_url(self) -> str:
        return self._item_url(self.matches[self._index - 1].item_id) if self._index > 0 else ""

    @property
    def next_url(self) -> str:
        index = self._index + self._is_match
        return self._item_url(self.matches[index].item_id) if index < len(self.matches) else ""

    @cached_property
    def _found(self) -> tuple[list[FoundItem], bool]:
        return find_items(self._items, self._pattern.matches, max_characters=self._max_characters)

    @cached_property
    def _index(self) -> int:
        """The index of the first match from the current position on."""
        return bisect_left(self.matches, self._current_position() or 0, key=lambda match: match.position)

    @property
    def _is_match(self) -> bool:
        index = self._index
        return index < len(self.matches) and self.matches[index].position == self._current_position()
