from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NoReturn

from django.db import models
from django.db.models import Count, Max, Min, Q, Sum
from django.db.models.functions import Length
from django.utils.translation import gettext_lazy as _

from conversations import errors, ids
from conversations.db.fields import BytewiseCharField, BytewiseTextField, LongJSONField, StoredText
from conversations.db.pages import Page, read_page
from conversations.db.retry import retry_on_conflict
from conversations.schema.items import find_call_id


@dataclass(frozen=True)
class TypeStatistics:
    """Figures of the items of one type."""

    type: str
    count: int
    characters: int  # of JSON
    first_position: int
    last_position: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True)
class CallEnd:
    """A call or an output, without its content."""

    type: str
    call_id: str
    item_id: str
    position: int


class ItemQuerySet(models.QuerySet["Item"]):
    @retry_on_conflict
    def page(self, *, limit: int, order: Literal["asc", "desc"], after: str | None = None) -> Page[Item]:
        """Return up to `limit` items of one conversation that follow the item `after` in this order.

        The cost does not depend on the length of the conversation. Raise `APIError` if `after` is unknown.
        """
        position = None if after is None else self.position_of(after)
        return read_page(self, key="position", limit=limit, is_ascending=order == "asc", after=position)

    @retry_on_conflict
    def get_or_api_error(self, item_id: str) -> Item:
        """Return the item with this id in one conversation; raise `APIError` if there is none."""
        item = self.filter(item_id=item_id).order_by("pk").first() if ids.is_well_formed(item_id) else None
        if item is None:
            raise errors.item_not_found(item_id)
        return item

    def has_any(self, item_ids: Sequence[str]) -> bool:
        return bool(item_ids) and self.filter(item_id__in=item_ids).exists()

    def statistics(self) -> list[TypeStatistics]:
        """Return figures for each type, most frequent first. Reads every item, so filter by conversation first."""
        rows = self.values("type").annotate(
            count=Count("pk"),
            characters=Sum(Length(StoredText("data"))),
            first_position=Min("position"),
            last_position=Max("position"),
            first_at=Min("created_at"),
            last_at=Max("created_at"),
        )
        return [TypeStatistics(**row) for row in rows.order_by("-count", "type")]

    def with_call_ids(self, call_keys: Collection[tuple[str, str]]) -> list[CallEnd]:
        """Return the items with these pairs of type and call id, in order of position."""
        types = {item_type for item_type, _call_id in call_keys}
        condition = Q()
        for item_type in types:
            condition |= Q(type=item_type, call_id__in=[key for name, key in call_keys if name == item_type])
        rows = self.filter(condition).order_by("position") if types else self.none()
        return [CallEnd(**row) for row in rows.values("type", "call_id", "item_id", "position")]

    def originals(self, item_ids: Sequence[str], *, within: Q) -> dict[str, Item]:
        """Return the oldest item with each of these ids in the conversations `within`, by item id."""
        items = self.filter(within, item_id__in=item_ids)
        oldest = items.values("item_id").annotate(oldest=Min("pk")).values("oldest")
        return {item.item_id: item for item in self.filter(pk__in=oldest)}

    def position_of(self, item_id: str) -> int:
        """Return the position of the item in one conversation; raise `APIError` if there is none."""
        position = None
        if ids.is_well_formed(item_id):
            position = self.filter(item_id=item_id).order_by("pk").values_list("position", flat=True).first()
        if position is None:
            raise errors.after_not_found(item_id)
        return position


class Item(models.Model):
    """An item of a conversation. `data` is its complete JSON, with id and type, as the API returns it.

    `call_id` pairs a call with its outputs: it is the value of the member that `schema.items` declares for the type, or
    "" if the item pairs with no other.
    """

    id = models.BigAutoField(primary_key=True)
    conversation = models.ForeignKey(
        "conversations.Conversation", on_delete=models.CASCADE, related_name="items", db_index=False
    )
    position = models.PositiveIntegerField(_("position"))
    item_id = BytewiseCharField(_("item id"), max_length=ids.MAX_LENGTH)
    type = models.CharField(_("type"), max_length=64)
    call_id = BytewiseTextField(_("call id"), default="", blank=True)
    data = LongJSONField(_("data"))
    created_at = models.DateTimeField(_("created at"))

    objects = ItemQuerySet.as_manager()

    class Meta:
        verbose_name = _("item")
        verbose_name_plural = _("items")
        ordering = ("conversation", "position")
        constraints = [
            models.UniqueConstraint(fields=["conversation", "position"], name="conversations_item_unique_position"),
            # The item's id comes first, so that the index also finds the id in other conversations.
            models.UniqueConstraint(fields=["item_id", "conversation"], name="conversations_item_unique_item_id"),
        ]

    def __str__(self) -> str:
        return str(self.item_id)

    def save(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(
            "Items are appended with conversation.add_items([…]), because the counters and the index of the "
            "conversation change with them. A stored item never changes."
        )

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(
            "Items are deleted with conversation.delete_item(item_id), because the counters and the index of the "
            "conversation change with them."
        )

    @classmethod
    def build(cls, conversation: Any, *, position: int, data: dict[str, Any], created_at: datetime) -> Item:
        """Build an unsaved item. Positional arguments make `Model.__init__` twice as fast."""
        make: Any = cls  # Django's type stubs accept keyword arguments only.
        item: Item = make(
            None, conversation.pk, position, data["id"], data["type"], find_call_id(data), data, created_at
        )
        item._state.fields_cache["conversation"] = conversation
        return item
