"""A tree of conditions -> Q. Keys and values are always parameters, never part of a lookup's name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial, reduce
from operator import and_, or_

from django.db.models import Exists, F, OuterRef, Q, Subquery, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import StrIndex
from django.db.models.lookups import Exact, GreaterThan, GreaterThanOrEqual, In, IsNull, LessThan

from conversations import ids
from conversations.schema.query.nodes import And, CreatedCondition, MetadataCondition, Not, Or, Query, TextCondition
from conversations.search.item_text import ItemText
from conversations.search.metadata_pair import MetadataPair

MetadataPredicate = Callable[[MetadataCondition], Q]
TextPredicate = Callable[[TextCondition], Q]


def metadata_exists(condition: MetadataCondition) -> Q:
    """That a conversation has such a pair. The database may as well begin with the pairs: for sets, in no order."""
    # The owner says nothing new, but lets a search among one owner's conversations use an index of its own.
    pairs = MetadataPair.objects.filter(conversation=OuterRef("pk"), owner=OuterRef("owner"), key=condition.key)
    return Q(Exists(pairs.filter(value_condition(condition, F("value")))))


def metadata_correlated(condition: MetadataCondition, *, id_name: str) -> Q:
    """The same, looked up for one row after the other: for a walk in order, which ends where a page is full."""
    pair = MetadataPair.objects.filter(
        value_condition(condition, F("value")), conversation=OuterRef(id_name), key=condition.key
    )
    return Q(IsNull(Subquery(pair.values("conversation")), False))  # unlike EXISTS, a scalar is never made a join


def text_in_index(condition: TextCondition) -> Q:
    """That an item says it, by the index of words: reads all that say it, in no order."""
    return Q(pk__in=ItemText.objects.search_phrase(condition.phrase).values("conversation").distinct())


def text_correlated(condition: TextCondition, *, id_name: str) -> Q:
    """The same, looked up in the items of one conversation after the other."""
    texts = ItemText.objects.filter(conversation=OuterRef(id_name)).containing_phrase(condition.phrase)
    return Q(IsNull(Subquery(texts.values("conversation")[:1]), False))


def build_q(
    query: Query,
    *,
    metadata: MetadataPredicate = metadata_exists,
    text: TextPredicate = text_in_index,
    id_name: str = "pk",
) -> Q:
    """`id_name` is what the conversation's id is called where the rows are others than conversations."""
    inner = partial(build_q, metadata=metadata, text=text, id_name=id_name)
    match query:
        case And(of):
            return reduce(and_, map(inner, of), Q())
        case Or(of):
            return reduce(or_, map(inner, of))
        case Not(of):
            return ~inner(of)
        case CreatedCondition():
            return created_range(query, id_name=id_name)
        case MetadataCondition():
            return metadata(query)
        case TextCondition():
            return text(query)


def created_range(condition: CreatedCondition, *, id_name: str) -> Q:
    """By the id, whose text begins with the second of creation: the one index serves the order and the window."""
    after = condition.operator in ("gt", "lte")
    first = ids.lower_bound(ids.CONVERSATION_PREFIX, seconds=condition.seconds + after)
    return Q((f"{id_name}__gte" if condition.operator in ("gt", "gte") else f"{id_name}__lt", first))


def value_condition(condition: MetadataCondition, value: Combinable) -> Q:
    """What the condition says of the value that its key has."""
    match condition.operator, condition.values:
        case "eq", (text,):
            return Q(Exact(value, text))
        case "ne", (text,):
            return ~Q(Exact(value, text))
        case "in", texts:
            return Q(In(value, texts))
        case "nin", texts:
            return ~Q(In(value, texts))
        case "prefix", (prefix,):
            return starts_with(prefix, value)
        case "contains", (part,):
            # Not `Contains`: SQLite's LIKE does not tell upper case from lower.
            return Q(GreaterThan(StrIndex(value, Value(part)), 0))
        case "exists", ():
            # As true as nothing at all, but it leads to the index that holds values, whose rows lie side by side.
            return Q(IsNull(value, False))
    raise ValueError(condition)


def starts_with(prefix: str, text: Combinable) -> Q:
    """As a range, which an index serves on every database: texts compare by their bytes, that is by code point."""
    end = prefix.rstrip(chr(sys.maxunicode))
    if not end:
        return Q(GreaterThanOrEqual(text, prefix))
    return Q(GreaterThanOrEqual(text, prefix), LessThan(text, end[:-1] + _next_character(end[-1])))


def _next_character(character: str) -> str:
    return "\ue000" if character == "\ud7ff" else chr(ord(character) + 1)
