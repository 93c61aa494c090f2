from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from django.db import models
from django.db.models import Min
from django.utils.translation import gettext_lazy as _

from conversations import errors, ids
from conversations.models.fields import BytewiseCharField, VerbatimJSONField


@dataclass(frozen=True)
class ItemPage:
    items: list[Item]
    has_more: bool


class ItemQuerySet(models.QuerySet["Item"]):
    def page(self, *, limit: int, order: Literal["asc", "desc"], after: str | None = None) -> ItemPage:
        """The `limit` items of one conversation that follow the item `after` in this order.

        Costs the same at any place of a conversation of any length. An unknown `after` is an error.
        """
        items = self
        if after is not None:
            position = self._position_of(after)
            items = items.filter(position__gt=position) if order == "asc" else items.filter(position__lt=position)
        rows = list(items.order_by("position" if order == "asc" else "-position")[: limit + 1])
        return ItemPage(rows[:limit], has_more=len(rows) > limit)

    def found(self, item_id: str) -> Item:
        """The item with this id in one conversation, or the error that says there is none."""
        item = self.filter(item_id=item_id).first() if ids.is_well_formed(item_id) else None
        if item is None:
            raise errors.item_not_found(item_id)
        return item

    def has_any(self, item_ids: Sequence[str]) -> bool:
        return bool(item_ids) and self.filter(item_id__in=item_ids).exists()

    def originals(self, *, owner_id: Any, item_ids: Sequence[str]) -> dict[str, Item]:
        """By id, the oldest item of each of these ids in any conversation of the owner."""
        if not item_ids:
            return {}
        known = self.filter(item_id__in=item_ids, conversation__owner=owner_id)
        oldest = known.values("item_id").annotate(oldest=Min("pk")).values("oldest")
        return {item.item_id: item for item in self.filter(pk__in=oldest)}

    def _position_of(self, item_id: str) -> int:
        position = None
        if ids.is_well_formed(item_id):
            position = self.filter(item_id=item_id).values_list("position", flat=True).first()
        if position is None:
            raise errors.after_not_found(item_id)
        return position


class Item(models.Model):
    """An item of a conversation. `data` is all of it, id and type included, in the order of the API's answers."""

    id = models.BigAutoField(primary_key=True)
    conversation = models.ForeignKey(
        "conversations.Conversation", on_delete=models.CASCADE, related_name="items", db_index=False
    )
    position = models.PositiveIntegerField(_("position"))
    item_id = BytewiseCharField(_("item id"), max_length=ids.MAX_LENGTH)
    type = models.CharField(_("type"), max_length=64)
    data = VerbatimJSONField(_("data"))
    created_at = models.DateTimeField(_("created at"))

    objects = ItemQuerySet.as_manager()

    class Meta:
        verbose_name = _("item")
        verbose_name_plural = _("items")
        constraints = [
            models.UniqueConstraint(fields=["conversation", "position"], name="conversations_item_unique_position"),
            # Also finds an id in other conversations, hence the item's id first.
            models.UniqueConstraint(fields=["item_id", "conversation"], name="conversations_item_unique_item_id"),
        ]

    def __str__(self) -> str:
        return str(self.item_id)
