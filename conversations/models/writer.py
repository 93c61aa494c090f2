"""The one place that stores a conversation or appends items to it.

`create` and `append` take validated items as JSON. On PostgreSQL they send a single statement, so one round trip (see
`db.single_statement`); wherever that is not possible, they insert through the ORM, in one transaction.

Imports and seeding build the rows themselves and call the `insert_*` functions, which the ORM form uses too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from django.db import connections, transaction
from django.db.models import Count, F, Max, Model, Q, QuerySet
from django.utils import timezone

from conversations import errors, ids
from conversations.conf import app_settings
from conversations.db import counters, single_statement
from conversations.db.lost_commit import write_or_find
from conversations.db.request_keys.pending_record import PendingRecord, key_in_use
from conversations.models.item import Item
from conversations.schema.call_balance import call_balance
from conversations.schema.items import item_id_prefix
from conversations.schema.shell_outputs import identify_shell_outputs
from conversations.search.item_text import ItemText, build_item_texts
from conversations.search.metadata_pair import MetadataPair, build_metadata_pairs
from conversations.validation import redact

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
    record: PendingRecord | None = None,
) -> list[Item]:
    """Store a new conversation with its metadata index and its first items, or nothing, and return the items' rows.

    `visible` filters items for the conversations that references may lead to, if these are not all of the owner.
    `record` is stored too. If the connection is lost, look for the conversation's id before raising an error.
    """

    def write() -> list[Item]:
        if single_statement.can_create(type(conversation), items, using=using):
            rows = _build_first_items(conversation, items, using=using, visible=visible)
            texts = build_item_texts(rows, using=using)
            if not single_statement.create(conversation, rows, texts, record, using=using):
                raise key_in_use()
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
    record: PendingRecord | None = None,
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
            balance = call_balance_of(rows)
            if not single_statement.append(conversation, rows, texts, record, balance=balance, using=using):
                is_locked = record and record.has_key and conversation.is_stored(using=using)
                raise key_in_use() if is_locked else errors.conversation_not_found(conversation.pk)
            return rows
        with transaction.atomic(using=using):
            if record:
                record.reserve(conversation.pk, using=using)
            if count := sum(map(_is_stored, items)):
                counters.count_items(conversation, count, now=now, using=using)
            else:
                conversation.update_counters(item_count=F("item_count"), last_position=F("last_position"))  # Lock it.
            if record:
                position = conversation.last_position
                record.store(conversation.pk, using=using, last_position=position, item_count=count)
            first_position = conversation.last_position - count + 1
            rows = _build_items(
                conversation, items, first_position=first_position, now=now, using=using, visible=visible
            )
            new_ids[:] = [row.item_id for row in rows]
            insert_items(rows, using=using)
            if balance := call_balance_of(rows):
                counters.add_call_balance(conversation, balance, using=using)
            return rows

    def find() -> list[Item] | None:
        return list(conversation.items.using(using).filter(item_id__in=new_ids).order_by("position")) or None

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
    if app_settings.redactors:
        _copy_redacted(items, conversation, using=using)
        return
    for model in (Item, ItemText) if count else ():
        _copy_rows(model, origin.pk, conversation.pk, last_position=last_position, using=using)
    _set_call_balance(conversation, using=using)


def _copy_redacted(items: QuerySet[Item], conversation: WritableConversation, *, using: str) -> None:
    position = 0
    while rows := list(items.filter(position__gt=position).order_by("position")[:200]):
        position = rows[-1].position
        copies = ((row.position, redact(row.data), row.created_at) for row in rows)
        insert_items([Item.build(conversation, position=n, data=d, created_at=t) for n, d, t in copies], using=using)
    _set_call_balance(conversation, using=using)


def _set_call_balance(conversation: WritableConversation, *, using: str) -> None:
    """Set the balance of a conversation whose items were stored after it."""
    if balance := conversation.items.using(using).call_balance():
        conversation.update_counters(call_balance=balance)


def call_balance_of(rows: Sequence[Item]) -> int:
    """Return the sum by which the items contribute to the `call_balance` of their conversation."""
    return call_balance((row.type, row.call_id) for row in rows)


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
    MetadataPair.objects.using(using).bulk_create(_build_pairs(conversation))


def _build_pairs(conversation: Any) -> list[MetadataPair]:
    return build_metadata_pairs(conversation.metadata, conversation_id=conversation.pk, owner_id=conversation.owner_id)


def insert_conversations(conversations: Sequence[Any], *, using: str, batch_size: int | None = None) -> None:
    """Insert many conversations as `Conversation.insert` does, but with `batch_size` rows per statement."""
    if not conversations:
        return
    rows: QuerySet[Any] = QuerySet(type(conversations[0]), using=using)
    rows.bulk_create(conversations, batch_size=batch_size)
    pairs = [pair for conversation in conversations for pair in _build_pairs(conversation)]
    pairs.sort(key=lambda pair: (pair.owner_id, pair.key, pair.value))  # SQLite fills its indexes faster in order.
    MetadataPair.objects.using(using).bulk_create(pairs, batch_size=batch_size)


def insert_items(items: Sequence[Item], *, using: str, batch_size: int | None = None) -> None:
    """Insert items with their text index, in the transaction that sets the counters of their conversations."""
    rows: QuerySet[Item] = QuerySet(Item, using=using)  # The manager of items refuses to store them.
    rows.bulk_create(items, batch_size=batch_size)
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
        conversation.call_balance = call_balance_of(rows)
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

    def find_shell_calls(item_ids: list[str]) -> dict[str, Any]:
        rows = conversation.items.using(using).filter(item_id__in=item_ids, type="local_shell_call")
        return dict(rows.values_list("item_id", "data"))

    stored = identify_shell_outputs([item for item in items if _is_stored(item)], find_calls=find_shell_calls)
    sent_ids = [item["id"] for item in stored if item.get("id")]
    originals: dict[str, Item] = {}
    if sent_ids:
        if visible is None:  # An item never gets from one end user to another.
            only = {} if conversation.end_user is None else {"conversation__end_user": conversation.end_user}
            visible = Q(conversation__owner=conversation.owner_id, **only)
        originals = Item.objects.using(using).originals(sent_ids, within=visible)
    for item in stored:
        if item["type"] == "item_reference" and item["id"] not in originals:
            raise errors.referenced_item_not_found(item["id"])
    if sent_ids and (len(set(sent_ids)) < len(sent_ids) or conversation.items.using(using).has_any(sent_ids)):
        raise errors.item_already_in_conversation()
    contents = [_build_data(item, originals) for item in stored]
    if app_settings.redactors:
        contents = list(map(redact, contents))
    return [
        Item.build(conversation, position=position, data=data, created_at=now)
        for position, data in enumerate(contents, start=first_position)
    ]


def _is_stored(item: Mapping[str, Any]) -> bool:
    """Whether the item becomes a row. A compaction trigger is accepted, as OpenAI does, but not kept."""
    return bool(item["type"] != "compaction_trigger")


def _is_same_item(item: Mapping[str, Any], original: Item) -> bool:
    """Whether the item that was sent is the stored one with the same id.

    A client or a model may have chosen the id, counting from 1 in each conversation, without the prefix of the type.
    """
    if item["type"] == "item_reference":
        return True
    return bool(item["type"] == original.type and item["id"].startswith(item_id_prefix(original.type)))


def _build_data(item: Mapping[str, Any], originals: Mapping[str, Item]) -> dict[str, Any]:
    """Return the JSON to store, with the id as its first member."""
    item_id = item.get("id") or ids.new_id(item_id_prefix(item["type"]))
    if (original := originals.get(item_id)) and _is_same_item(item, original):
        stored: dict[str, Any] = original.data
        return stored
    data = {"id": item_id, **item}
    data["id"] = item_id  # The item may have a null id.
    return data
