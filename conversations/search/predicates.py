"""Conditions as Django's `Q`. Keys and values are always parameters, never part of a look-up name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial, reduce
from operator import and_, or_
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Exists, F, OuterRef, Q, Subquery, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Right, StrIndex
from django.db.models.lookups import Exact, GreaterThan, GreaterThanOrEqual, In, IsNull, LessThan

from conversations import ids
from conversations.db.hints import IndexCondition, item_count_step, start_of_hour
from conversations.schema.query.nodes import (
    ActiveCondition,
    And,
    CreatedCondition,
    HasCondition,
    IdCondition,
    IdPrefixCondition,
    ItemColumn,
    ItemCondition,
    ItemCountCondition,
    MetadataCondition,
    Not,
    Or,
    OwnerCondition,
    Query,
    RowCondition,
    TextCondition,
)
from conversations.search.item_text import ItemText
from conversations.search.metadata_pair import MetadataPair
from conversations.search.unanswered_calls import has_unanswered_call

# Times that every database can compare: from the year 2 to the year 9998, in Unix seconds.
MIN_SECONDS, MAX_SECONDS = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2, 9999))
MIN_INDEXED_COUNT = 16  # the least number of items from which conversations are indexed by it
MIN_INDEXED_STEP = item_count_step(MIN_INDEXED_COUNT)

# Indexes of items by a column and the conversation, and the items that are in them on PostgreSQL and SQLite.
ITEM_INDEXES: dict[ItemColumn, tuple[str, str]] = {
    "type": ("conversations_item_type", "type <> 'message'"),
    "tool": ("conversations_item_tool", "tool <> ''"),
    "status": ("conversations_item_status", "status <> ''"),
}

MetadataPredicate = Callable[[MetadataCondition], Q]
TextPredicate = Callable[[TextCondition], Q]
ItemPredicate = Callable[[ItemCondition], Q]


def metadata_exists(condition: MetadataCondition) -> Q:
    """Match conversations with such a pair by EXISTS, for unordered sets: the database may read the pairs first."""
    # Redundant filter that lets the planner use the (owner, key, value) index.
    pairs = MetadataPair.objects.filter(conversation=OuterRef("pk"), owner=OuterRef("owner"), key=condition.key)
    return Q(Exists(pairs.filter(value_condition(condition, F("value")))))


def metadata_correlated(condition: MetadataCondition, *, id_name: str) -> Q:
    """Match rows whose conversation has such a pair by a look-up in each row, for scans that stop at a full page."""
    pair = MetadataPair.objects.filter(
        value_condition(condition, F("value")), conversation=OuterRef(id_name), key=condition.key
    )
    # A scalar subquery: a database may turn EXISTS into a join that reads all matching pairs first.
    return Q(IsNull(Subquery(pair.values("conversation")), False))


def text_in_index(condition: TextCondition) -> Q:
    """Match conversations by the full-text index, which reads every item that contains the phrase, in no order."""
    return Q(pk__in=ItemText.objects.search_phrase(condition.phrase).values("conversation").distinct())


def text_correlated(condition: TextCondition, *, id_name: str) -> Q:
    """Match rows by comparing the texts of each row's conversation, for scans that stop at a full page."""
    texts = ItemText.objects.filter(conversation=OuterRef(id_name)).containing_phrase(condition.phrase)
    return Q(IsNull(Subquery(texts.values("conversation")[:1]), False))


def item_in_index(condition: ItemCondition) -> Q:
    """Match conversations by the index of the items, for unordered sets."""
    return Q(pk__in=items_with(condition).values("conversation").distinct())


def item_correlated(condition: ItemCondition, *, id_name: str) -> Q:
    """Match rows whose conversation has such an item by a look-up in each row, for scans that stop at a full page."""
    items = items_with(condition).filter(conversation=OuterRef(id_name))
    return Q(IsNull(Subquery(items.values("conversation")[:1]), False))


def items_with(condition: ItemCondition) -> Any:
    """Return the items that meet the condition."""
    items = item_model().objects.order_by().filter(**{condition.column: condition.value})
    if not condition.is_indexed:
        return items
    if not condition.value:  # An empty text means no tool or no failure, and matches no condition.
        items = items.filter(**{f"{condition.column}__gt": ""})
    _name, is_indexed = ITEM_INDEXES[condition.column]
    return items.filter(IndexCondition(is_indexed, (), sqlite=is_indexed))


def conversation_model() -> Any:
    return MetadataPair._meta.get_field("conversation").related_model


def item_model() -> Any:
    return conversation_model()._meta.get_field("items").related_model


def build_q(
    query: Query,
    *,
    metadata: MetadataPredicate = metadata_exists,
    text: TextPredicate = text_in_index,
    item: ItemPredicate = item_in_index,
    id_name: str = "pk",
) -> Q:
    """Combine the predicates of all conditions; `id_name` is the field with the conversation's id in the rows."""
    inner = partial(build_q, metadata=metadata, text=text, item=item, id_name=id_name)
    match query:
        case And(parts):
            return reduce(and_, map(inner, parts), Q())
        case Or(parts):
            return reduce(or_, map(inner, parts))
        case Not(part):
            return ~inner(part)
        case CreatedCondition():
            return created_range(query, id_name=id_name)
        case MetadataCondition():
            return metadata(query)
        case TextCondition():
            return text(query)
        case ItemCondition():
            return item(query)
        case _:
            return row_condition(query, id_name=id_name)


def row_correlated(condition: RowCondition, *, id_name: str) -> Q:
    """Match rows by a column of each row's conversation, for rows that have only its id."""
    conversations = conversation_model()._base_manager.filter(
        row_condition(condition, id_name="pk"), pk=OuterRef(id_name)
    )
    return Q(IsNull(Subquery(conversations.values("pk")), False))


def row_condition(condition: RowCondition, *, id_name: str) -> Q:
    """Return a condition on the column `id_name`, or on another column of the conversation."""
    match condition:
        case OwnerCondition(username):
            User = get_user_model()
            users = User._default_manager.filter(**{User.USERNAME_FIELD: username})
            return Q(owner=Subquery(users.values("pk")[:1]))
        case IdCondition(ids):
            return Q((f"{id_name}__in", ids))
        case IdPrefixCondition(prefix):
            return starts_with(prefix, F(id_name))
        case ActiveCondition():
            return active_range(condition)
        case ItemCountCondition():
            return item_count_range(condition)
        case HasCondition("hold"):
            return Q(is_held=True)
        case HasCondition():
            return has_unanswered_call(item_model().objects.all())


def created_range(condition: CreatedCondition, *, id_name: str) -> Q:
    """Match a range of ids, which begin with the second of creation: one index serves both the order and the range."""
    after = condition.operator in ("gt", "lte")
    first = ids.lower_bound(ids.CONVERSATION_PREFIX, seconds=condition.seconds + after)
    return Q((f"{id_name}__gte" if condition.operator in ("gt", "gte") else f"{id_name}__lt", first))


def active_range(condition: ActiveCondition) -> Q:
    """Match a range of seconds. Conversations that never had an item are in none, and in every negated one."""
    first = max(MIN_SECONDS, min(condition.seconds + (condition.operator in ("gt", "lte")), MAX_SECONDS))
    moment = datetime.fromtimestamp(first, tz=UTC)
    is_lower_bound = condition.operator in ("gt", "gte")
    in_hours = IndexCondition(f"active_hour {'>=' if is_lower_bound else '<='} %s", [start_of_hour(moment)])
    bound = ("last_item_at__gte" if is_lower_bound else "last_item_at__lt", moment)
    return Q(("last_item_at__isnull", False), bound, in_hours)


def item_count_range(condition: ItemCountCondition) -> Q:
    number = condition.number
    bound = Q((f"item_count__{condition.operator}", number))
    if condition.operator in ("lt", "lte") or number < MIN_INDEXED_COUNT:
        return bound
    # The constants let the databases recognize the partial index.
    in_index = f"item_count_step >= {MIN_INDEXED_STEP} AND item_count_step >= %s"
    return bound & Q(IndexCondition(in_index, [item_count_step(number)], sqlite=f"item_count >= {MIN_INDEXED_COUNT}"))


def value_condition(condition: MetadataCondition, value: Combinable) -> Q:
    """Return the condition about the value of its key, without the key itself."""
    return VALUE_PREDICATES[condition.operator](value, condition.values)


def starts_with(prefix: str, text: Combinable) -> Q:
    """Return a range that any database reads from an index. The columns compare by bytes, hence by code points."""
    end = prefix.rstrip(chr(sys.maxunicode))
    if not end:
        return Q(GreaterThanOrEqual(text, prefix))
    return Q(GreaterThanOrEqual(text, prefix), LessThan(text, end[:-1] + _next_character(end[-1])))


def _next_character(character: str) -> str:
    # Surrogates are no characters.
    return "\ue000" if character == "\ud7ff" else chr(ord(character) + 1)


def contains(part: str, text: Combinable) -> Q:
    # Not `Contains`: SQLite's LIKE ignores case.
    return Q(GreaterThan(StrIndex(text, Value(part)), 0))


def ends_with(suffix: str, text: Combinable) -> Q:
    # Not `EndsWith`: SQLite's LIKE ignores case. RIGHT counts characters, as Python does, on every database.
    return Q(Exact(Right(text, len(suffix)), suffix)) if suffix else is_present(text)


def is_present(value: Combinable) -> Q:
    # Always true, but makes the database read the index with values, in which the rows of a key are adjacent.
    return Q(IsNull(value, False))


# A predicate for each of METADATA_OPERATORS, about the value of the key and the values of the condition.
VALUE_PREDICATES: dict[str, Callable[[Combinable, tuple[str, ...]], Q]] = {
    "eq": lambda value, values: Q(Exact(value, values[0])),
    "ne": lambda value, values: ~Q(Exact(value, values[0])),
    "in": lambda value, values: Q(In(value, values)),
    "nin": lambda value, values: ~Q(In(value, values)),
    "contains": lambda value, values: contains(values[0], value),
    "prefix": lambda value, values: starts_with(values[0], value),
    "suffix": lambda value, values: ends_with(values[0], value),
    "exists": lambda value, values: is_present(value),
}
