from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NoReturn, Protocol

from django.db import models
from django.db.models import Count, F, Max, Min, Q, Sum
from django.db.models.functions import Length
from django.dispatch import Signal
from django.utils.translation import gettext_lazy as _

from conversations import errors, ids, signals
from conversations.db.fields import BytewiseCharField, BytewiseTextField, LongJSONField, StoredText
from conversations.db.pages import Page, read_page
from conversations.db.request_keys.pending_record import PendingRecord
from conversations.db.retry import retry_on_conflict
from conversations.models.item_queryset import USE_ADD_ITEMS, USE_DELETE_ITEM, GuardedItemQuerySet
from conversations.models.request_record import RequestRecord, write_recorded
from conversations.schema.call_balance import CALL_TYPES, call_balance
from conversations.schema.item_failures import FAILED, Failure, find_failure
from conversations.schema.items import MAX_TOOL_LENGTH, find_call_id, find_tool


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


@dataclass(frozen=True)
class FailedItem:
    """An item that reports a failure, without its content."""

    item_id: str
    position: int
    failure: Failure


class ItemQuerySet(GuardedItemQuerySet["Item"]):
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

    def failures(self, *, max_characters: int) -> tuple[list[FailedItem], bool]:
        """Return the items that report a failure, in order of position, and whether all of them were read.

        Reading stops after `max_characters` of their JSON. Filter by conversation first.
        """
        failed = self.filter(status=FAILED).order_by("position")
        rows = failed.values_list("position", "item_id", "data", Length(StoredText("data")))
        failures: list[FailedItem] = []
        for position, item_id, data, length in rows.iterator(chunk_size=100):
            if failure := find_failure(data):
                failures.append(FailedItem(item_id, position, failure))
            max_characters -= length
            if max_characters < 0:
                return failures, False
        return failures, True

    def unanswered_calls(self) -> list[CallEnd]:
        """Return the calls that have no output, in order of position. Filter by conversation first."""
        rows = self.filter(type__in={*CALL_TYPES, *CALL_TYPES.values()}).order_by("position")
        ends = [CallEnd(**row) for row in rows.values("type", "call_id", "item_id", "position").iterator()]
        # OpenAI itself answers a tool search without an id.
        calls = [end for end in ends if end.type not in CALL_TYPES and (end.call_id or end.type != "tool_search_call")]
        open_calls: dict[tuple[str, str], list[CallEnd]] = {}
        for call in calls:
            open_calls.setdefault((call.type, call.call_id), []).append(call)
        shell_calls = {call.position: call for call in calls if call.type == "local_shell_call"}
        for output in ends:
            if output.type not in CALL_TYPES:
                continue
            same = open_calls.get((CALL_TYPES[output.type], output.call_id), []) if output.call_id else []
            number_before = bisect_left(same, output.position, key=lambda call: call.position)
            if same:
                same.pop(max(number_before - 1, 0))
            elif output.type == "local_shell_call_output" and (before := shell_calls.get(output.position - 1)):
                # The id of a local shell output may name no call.
                group = open_calls[before.type, before.call_id]
                group[:] = [call for call in group if call is not before]
        return sorted((call for group in open_calls.values() for call in group), key=lambda call: call.position)

    def call_balance(self) -> int:
        ends = self.filter(type__in={*CALL_TYPES, *CALL_TYPES.values()}).order_by()
        return call_balance(ends.values_list("type", "call_id"))

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
    "" if the item pairs with no other. `tool` is the name of the tool that a call calls, or "". `status` is "failed" if
    the item reports a failure (see `schema.item_failures`), or "".
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
    tool = BytewiseCharField(_("tool"), max_length=MAX_TOOL_LENGTH, default="", db_default="", blank=True)
    status = BytewiseCharField(_("status"), max_length=8, default="", db_default="", blank=True)

    objects = ItemQuerySet.as_manager()

    class Meta:
        verbose_name = _("item")
        verbose_name_plural = _("items")
        base_manager_name = "objects"  # It refuses `conversation.items.add(item)`.
        ordering = ("conversation", "position")
        constraints = [
            models.UniqueConstraint(fields=["conversation", "position"], name="conversations_item_unique_position"),
            # The item's id comes first, so that the index also finds the id in other conversations.
            models.UniqueConstraint(fields=["item_id", "conversation"], name="conversations_item_unique_item_id"),
        ]

    def __str__(self) -> str:
        return str(self.item_id)

    def save(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(USE_ADD_ITEMS)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(USE_DELETE_ITEM)

    @classmethod
    def build(cls, conversation: Any, *, position: int, data: dict[str, Any], created_at: datetime) -> Item:
        """Build an unsaved item. Positional arguments make `Model.__init__` twice as fast."""
        make: Any = cls  # Django's type stubs accept keyword arguments only.
        identity = (None, conversation.pk, position, data["id"], data["type"], find_call_id(data))
        item: Item = make(*identity, data, created_at, find_tool(data), FAILED if find_failure(data) else "")
        item._state.fields_cache["conversation"] = conversation
        return item


class LockableConversation(Protocol):
    """The members of a conversation that the deletion of items reads and calls."""

    pk: Any

    @property
    def write_alias(self) -> str: ...

    @property
    def item_texts(self) -> Any: ...

    def lock_for_change(self) -> None: ...

    def update_counters(self, **values: Any) -> None: ...

    def send_on_commit(self, signal: Signal, **rows: Any) -> None: ...


def delete_items(
    conversation: LockableConversation,
    find_position: Callable[[], int],
    *,
    record: PendingRecord | None,
    is_single: bool = False,
) -> None:
    """Delete the items after the position that is found under the lock, or only the next one, and store `record`."""
    using = conversation.write_alias
    all_items = Item.objects.using(using).filter(conversation=conversation.pk)
    deleted: list[Item] = []  # for receivers of the signal
    first_keys: list[int] | None = None  # None until the conversation is locked

    def write() -> None:
        nonlocal first_keys
        conversation.lock_for_change()
        after = find_position()
        up_to = after + 1 if is_single else None
        positions = {"position__gt": after, **({} if up_to is None else {"position__lte": up_to})}
        items = all_items.filter(**positions)
        if record is None:
            first_keys = list(items.order_by("position").values_list("pk", flat=True)[:1])
        balance = items.call_balance()
        deleted[:] = items if signals.item_deleted.has_listeners(type(conversation)) else []
        count = items.delete_locked()
        conversation.item_texts.using(using).filter(**positions).delete()  # Full-text search may have been on earlier.
        RequestRecord.objects.using(using).drop_items(conversation.pk, after=after, up_to=up_to)
        if count:
            change = {"call_balance": F("call_balance") - balance} if balance else {}
            conversation.update_counters(item_count=F("item_count") - count, **change)

    def is_written() -> bool:
        return first_keys is not None and not all_items.filter(pk__in=first_keys).exists()

    write_recorded(write, is_written, record=record, shows=conversation.pk, using=using)
    if deleted:
        conversation.send_on_commit(signals.item_deleted, conversation=conversation, items=deleted)
