"""The one place that stores a conversation or appends items to it.

`create` and `append` take validated items as JSON. On PostgreSQL they send a single statement, so one round trip (see
`db.single_statement`); wherever that is not possible, they insert through the ORM, in one transaction.

Imports and seeding know ids, times and positions already: they build the rows themselves and call the `insert_*`
functions, which the ORM form uses too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from django.db import connections, transaction
from django.db.models import Count, F, Max, Model, Q, QuerySet, Value
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone

from conversations import errors, ids
from conversations.db import single_statement
from conversations.db.lost_commit import write_or_find
from conversations.models.item import Item
from conversations.models.request_record import RequestRecord
from conversations.schema.items import is_item_id, item_id_prefix
from conversations.search.item_text import ItemText, build_item_texts
from conversations.search.metadata_pair import MetadataPair, build_metadata_pairs

MAX_FORKED_ITEMS = 100_000  # copied in one statement while the origin is locked


class WritableConversation(single_statement.ConversationRow, Protocol):
    """The members of a conversation that the writer reads, sets and calls."""

    @property
    def items(self) -> Any: ...

    def insert(self, *, force_insert: bool, using: str) -> None: ...

    def is_stored(self, *, using: str) -> bool: ...

    def update_counters(self, **values: Any) -> None: ...


def create(
    conversation: WritableConversation,
    *,
    items: Sequence[Mapping[str, Any]],
    using: str,
    visible: Q | None = None,
    record: RequestRecord | None = None,
) -> list[Item]:
    """Store a new conversation with its metadata index and its first items, or nothing, and return the items' rows.

    `visible` filters items for the conversations that references may lead to, if these are not all of the owner.
    `record` is stored too. If the connection is lost, look for the conversation's id before raising an error.
    """

    def write() -> list[Item]:
        if single_statement.can_create(type(conversation), items, using=using):
            rows = _build_first_items(conversation, items, using=using, visible=visible)
            single_statement.create(conversation, rows, build_item_texts(rows, using=using), record, using=using)
            return rows
        with transaction.atomic(using=using):
            rows = _build_first_items(conversation, items, using=using, visible=visible)
            if record:
                record.store(conversation.pk, using=using)
            conversation.insert(force_insert=True, using=using)
            insert_items(rows, using=using)
            return rows

    def find() -> list[Item] | None:
        stored = list(conversation.items.using(using).order_by("position"))
        return stored if stored or conversation.is_stored(using=using) else None

    return write_or_find(write, find, using=using)


def append(
    conversation: WritableConversation,
    *,
    items: Sequence[Mapping[str, Any]],
    using: str,
    visible: Q | None = None,
    record: RequestRecord | None = None,
) -> list[Item]:
    """Append all items or none, and return the rows in the order of their positions.

    See `create` for `visible` and `record`.

    Raising the counters locks the conversation's row, so that concurrent appends take turns: positions are dense,
    never reused, and become visible to readers in their order.
    """
    new_ids: list[str] = []

    def write() -> list[Item]:
        now = timezone.now()
        if single_statement.can_append(items, using=using):
            rows = _build_items(conversation, items, first_position=1, now=now, using=using, visible=visible)
            new_ids[:] = [row.item_id for row in rows]
            texts = build_item_texts(rows, using=using)
            if not single_statement.append(conversation, rows, texts, record, using=using):
                raise errors.conversation_not_found(conversation.pk)
            return rows
        with transaction.atomic(using=using):
            count = sum(map(_is_stored, items))
            conversation.update_counters(
                item_count=F("item_count") + count,
                last_position=F("last_position") + count,
                **({"last_item_at": Greatest(Coalesce("last_item_at", Value(now)), Value(now))} if count else {}),
            )
            if record:
                position = conversation.last_position
                record.store(conversation.pk, using=using, last_position=position, item_count=count)
            first_position = conversation.last_position - count + 1
            rows = _build_items(
                conversation, items, first_position=first_position, now=now, using=using, visible=visible
            )
            new_ids[:] = [row.item_id for row in rows]
            insert_items(rows, using=using)
            return rows

    def find() -> list[Item] | None:
        stored = conversation.items.using(using).filter(item_id__in=new_ids).order_by("position")
        return list(stored) or None

    return write_or_find(write, find, using=using)


def fork(
    origin: WritableConversation, conversation: WritableConversation, *, items: QuerySet[Item], using: str
) -> None:
    """Store a new conversation with copies of the first `items` of its origin, in the transaction that locks this."""
    totals = items.aggregate(count=Count("pk"), last_position=Max("position"))
    count, last_position = totals["count"], totals["last_position"]
    if count > MAX_FORKED_ITEMS:
        message = (
            f"Too many items to fork: {count}. Expected at most {MAX_FORKED_ITEMS}. Name an earlier item in 'after'."
        )
        raise errors.APIError(message, param="after", code="too_many_items")
    if count:
        conversation.item_count, conversation.last_position = count, last_position
        conversation.last_item_at = items.get(position=last_position).created_at
    conversation.insert(force_insert=True, using=using)
    for model in (Item, ItemText) if count else ():
        _copy_rows(model, origin.pk, conversation.pk, last_position=last_position, using=using)


def _copy_rows(model: type[Model], source_id: str, target_id: str, *, last_position: int, using: str) -> None:
    """Copy the rows of a conversation up to a position in one statement, without sending them to the process."""
    connection = connections[using]
    quote = connection.ops.quote_name
    fields = [field for field in model._meta.concrete_fields if not field.primary_key and field.name != "conversation"]
    columns = ", ".join(quote(str(field.column)) for field in fields)
    table, conversation, position = map(quote, (model._meta.db_table, "conversation_id", "position"))
    sql = (
        f"INSERT INTO {table} ({conversation}, {columns}) SELECT %s, {columns} FROM {table} "  # noqa: S608 - no values
        f"WHERE {conversation} = %s AND {position} <= %s ORDER BY {position}"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [target_id, source_id, last_position])


def insert_metadata_pairs(conversation: WritableConversation, *, using: str) -> None:
    """Insert the metadata index of a new conversation, in the transaction that inserts the conversation."""
    pairs = build_metadata_pairs(conversation.metadata, conversation_id=conversation.pk, owner_id=conversation.owner_id)
    MetadataPair.objects.using(using).bulk_create(pairs)


def insert_conversations(conversations: Sequence[Any], *, using: str, batch_size: int | None = None) -> None:
    """Insert many conversations as `Conversation.insert` does, but with `batch_size` rows per statement."""
    if not conversations:
        return
    rows: QuerySet[Any] = QuerySet(type(conversations[0]), using=using)
    rows.bulk_create(conversations, batch_size=batch_size)
    pairs = [
        pair
        for conversation in conversations
        for pair in build_metadata_pairs(
            conversation.metadata, conversation_id=conversation.pk, owner_id=conversation.owner_id
        )
    ]
    pairs.sort(key=lambda pair: (pair.owner_id, pair.key, pair.value))  # SQLite fills its indexes faster in order.
    MetadataPair.objects.using(using).bulk_create(pairs, batch_size=batch_size)


def insert_items(items: Sequence[Item], *, using: str, batch_size: int | None = None) -> None:
    """Insert items with their text index, in the transaction that sets the counters of their conversations."""
    Item.objects.using(using).bulk_create(items, batch_size=batch_size)
    ItemText.objects.using(using).add(items)


def _build_first_items(
    conversation: WritableConversation, items: Sequence[Mapping[str, Any]], *, using: str, visible: Q | None
) -> list[Item]:
    """Build the unsaved items of a new conversation, and set its counters."""
    now = conversation.created_at
    rows = _build_items(conversation, items, first_position=1, now=now, using=using, visible=visible)
    if rows:
        conversation.item_count = conversation.last_position = len(rows)
        conversation.last_item_at = conversation.created_at
    return rows


def _build_items(
    conversation: WritableConversation,
    items: Sequence[Mapping[str, Any]],
    *,
    first_position: int,
    now: datetime,
    using: str,
    visible: Q | None,
) -> list[Item]:
    """Build unsaved items at consecutive positions.

    An item whose id names an item in another visible conversation gets the content that is stored there. Raise an error
    if a referenced item does not exist or an id is in this conversation already.
    """
    stored = _identify_shell_outputs(conversation, [item for item in items if _is_stored(item)], using=using)
    sent_ids = [item["id"] for item in stored if item.get("id")]
    originals: dict[str, Item] = {}
    if sent_ids:
        within = Q(conversation__owner=conversation.owner_id) if visible is None else visible
        originals = Item.objects.using(using).originals(sent_ids, within=within)
    for item in stored:
        if item["type"] == "item_reference" and item["id"] not in originals:
            raise errors.referenced_item_not_found(item["id"])
    if sent_ids and (len(set(sent_ids)) < len(sent_ids) or conversation.items.using(using).has_any(sent_ids)):
        raise errors.item_already_in_conversation()
    return [
        Item.build(conversation, position=position, data=_build_data(item, originals), created_at=now)
        for position, item in enumerate(stored, start=first_position)
    ]


def _identify_shell_outputs(
    conversation: WritableConversation, items: list[Mapping[str, Any]], *, using: str
) -> list[Mapping[str, Any]]:
    """Give a local shell call's output that was sent with the id of the call item the call's `call_id` as its id.

    OpenAI calls the output's id "the unique ID of the local shell tool call generated by the model", as it calls
    `call_id`. Some clients read that as the id of the item, which only one item of a conversation can have.
    """
    sent_ids = [item["id"] for item in items if item["type"] == "local_shell_call_output" and item.get("id")]
    if not sent_ids:
        return items
    stored_calls = conversation.items.using(using).filter(item_id__in=sent_ids, type="local_shell_call")
    calls = {row.item_id: row.data for row in stored_calls}
    calls |= {item["id"]: item for item in items if item["type"] == "local_shell_call" and item.get("id")}
    return [
        {**item, "id": _output_id(calls[item["id"]])}
        if item["type"] == "local_shell_call_output" and item.get("id") in calls
        else item
        for item in items
    ]


def _output_id(call: Mapping[str, Any]) -> str | None:
    """Return the `call_id` if an output can have it as its id, or None to give the output a new one."""
    call_id = call.get("call_id")
    return call_id if call_id != call["id"] and is_item_id(call_id, item_type="local_shell_call_output") else None


def _is_stored(item: Mapping[str, Any]) -> bool:
    """Whether the item becomes a row. A compaction trigger is accepted, as OpenAI does, but not kept."""
    return bool(item["type"] != "compaction_trigger")


def _is_same_item(item: Mapping[str, Any], original: Item) -> bool:
    """Whether the item that was sent is the stored one with the same id.

    The id may have been chosen by a client or a model instead, which number their ids from 1 in each conversation. A
    local shell call's output, for example, is sent with the call's id. Such an id has no prefix of the item's type.
    """
    if item["type"] == "item_reference":
        return True
    return bool(item["type"] == original.type and item["id"].startswith(item_id_prefix(original.type)))


def _build_data(item: Mapping[str, Any], originals: Mapping[str, Item]) -> dict[str, Any]:
    """Return the JSON to store, with the id as its first member."""
    item_id = item.get("id") or ids.new_id(item_id_prefix(item["type"]))
    if (original := originals.get(item_id)) and _is_same_item(item, original):
        data: dict[str, Any] = original.data
        return data
    return {"id": item_id, **{name: value for name, value in item.items() if name != "id"}}
