"""Conversations in order whose items contain phrases, at a cost that is bounded beforehand.

A full-text index returns rows in no order, and the other conditions of a query may hold for few of them. So there are
two strategies:

- If at most `MAX_CANDIDATES` items contain the phrases, all of their conversations are fetched, and only these are
  checked for the other conditions.
- Otherwise the `MAX_SCANNED` next conversations are checked one by one. Only if these do not fill the page, the
  full-text index is read for the rest, at a cost that grows with the number of items that contain the phrase. On
  PostgreSQL, statistics detect frequent phrases beforehand; to count their matches, conversations are always checked
  one by one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from django.db.models import F, Model, QuerySet

from conversations.schema.query.nodes import (
    ActiveCondition,
    And,
    HasCondition,
    IdCondition,
    IdPrefixCondition,
    ItemCondition,
    ItemCountCondition,
    MetadataCondition,
    Or,
    OwnerCondition,
    Query,
    RowCondition,
    TextCondition,
    iter_conditions,
)
from conversations.schema.query.operators import IndexUse
from conversations.search.activity_order import order_of_index
from conversations.search.item_text import ItemText
from conversations.search.metadata_pair import MetadataPair
from conversations.search.predicates import (
    build_q,
    item_correlated,
    items_with,
    metadata_correlated,
    row_condition,
    text_correlated,
    text_in_index,
    value_condition,
)

MAX_CANDIDATES = 1_000
MAX_SCANNED = 1_000  # conversations checked one by one before the full-text index is read

ConversationType = TypeVar("ConversationType", bound=Model)

# For conversations in order: conditions that are looked up in each row. The second one reads words from their index.
build_correlated_q = partial(
    build_q,
    metadata=partial(metadata_correlated, id_name="pk"),
    item=partial(item_correlated, id_name="pk"),
    text=partial(text_correlated, id_name="pk"),
)
build_indexed_q = partial(build_correlated_q, text=text_in_index)


def candidate_ids(query: Query, *, using: str, is_alternative: bool = False) -> set[str] | None:
    """Return a superset of the matching ids, or None if a term is too frequent to enumerate.

    Conditions that an index of conversations or of metadata answers are enumerated only as alternatives to a phrase:
    the planner has better ways to read them on their own.
    """
    match query:
        case And(parts):
            each = (candidate_ids(part, using=using, is_alternative=is_alternative) for part in parts)
            enumerated = [ids for ids in each if ids is not None]
            return set.intersection(*enumerated) if enumerated else None
        case Or(parts) if is_alternative or any(map(_is_beside_metadata, iter_conditions(query))):
            union: set[str] = set()
            for part in parts:
                ids = candidate_ids(part, using=using, is_alternative=True)
                if ids is None:
                    return None
                union |= ids
            return union
        case TextCondition(phrase):
            texts = ItemText.objects.using(using)
            if texts.is_frequent(phrase):
                return None
            rows = texts.search_phrase(phrase).values_list("conversation", flat=True)[: MAX_CANDIDATES + 1]
            conversation_ids = list(rows)
            return set(conversation_ids) if len(conversation_ids) <= MAX_CANDIDATES else None
        case IdCondition(ids):
            return set(ids)
        case MetadataCondition() if is_alternative and query.definition.index_use is IndexUse.VALUES:
            pairs = MetadataPair.objects.using(using).filter(value_condition(query, F("value")), key=query.key)
            return _enumerate(pairs.values_list("conversation", flat=True))
        case ItemCondition() if is_alternative and query.is_indexed:
            return _enumerate(items_with(query).using(using).values_list("conversation", flat=True).distinct())
        case ActiveCondition() | ItemCountCondition():
            return _enumerate_conversations(query, using=using)
        case OwnerCondition() | IdPrefixCondition() | HasCondition() if is_alternative:
            return _enumerate_conversations(query, using=using)
    return None


def _is_beside_metadata(condition: Query) -> bool:
    return isinstance(condition, TextCondition | RowCondition)


def _enumerate_conversations(condition: RowCondition, *, using: str) -> set[str] | None:
    model: Any = MetadataPair._meta.get_field("conversation").related_model
    conversations = model._base_manager.using(using).filter(row_condition(condition, id_name="pk"))
    return _enumerate(conversations.order_by(*order_of_index(condition, using=using)).values_list("pk", flat=True))


def _enumerate(ids: QuerySet[Any, Any]) -> set[str] | None:
    enumerated = set(ids[: MAX_CANDIDATES + 1])
    return enumerated if len(enumerated) <= MAX_CANDIDATES else None


def first_candidates(
    ids: set[str], conversations: QuerySet[ConversationType], count: int, *, query: Query, is_ascending: bool
) -> list[ConversationType]:
    """Return the first `count` matches among the conversations with these ids, in the order of ids."""
    matching = conversations.filter(build_correlated_q(query))
    matches: list[ConversationType] = []
    for batch in _in_batches(sorted(ids, reverse=not is_ascending)):
        matches += matching.filter(pk__in=batch)[: count - len(matches)]
        if len(matches) == count:
            break
    return matches


def first_by_scan(
    conversations: QuerySet[ConversationType], count: int, *, query: Query, is_ascending: bool
) -> list[ConversationType]:
    """Return the first `count` matches of conversations that are in the order of ids."""
    scan_end = list(conversations.values_list("pk", flat=True)[MAX_SCANNED - 1 : MAX_SCANNED])
    correlated = conversations.filter(build_correlated_q(query))
    if not scan_end:
        return list(correlated[:count])
    within, beyond = ("pk__lte", "pk__gt") if is_ascending else ("pk__gte", "pk__lt")
    matches = list(correlated.filter(**{within: scan_end[0]})[:count])
    if len(matches) < count:
        rest = conversations.filter(build_indexed_q(query), **{beyond: scan_end[0]})
        matches += rest[: count - len(matches)]
    return matches


def count_matches(conversations: QuerySet[Any], maximum: int, *, query: Query, ids: set[str] | None) -> int:
    """Return the number of matches among the conversations, restricted to `ids` if given, or `maximum` if more."""
    if ids is not None:
        matching = conversations.filter(build_correlated_q(query))
        return min(maximum, sum(matching.filter(pk__in=batch).count() for batch in _in_batches(ids)))
    texts = ItemText.objects.using(conversations.db)
    phrases = (condition.phrase for condition in iter_conditions(query) if isinstance(condition, TextCondition))
    if any(map(texts.is_frequent, phrases)):
        return conversations.filter(build_correlated_q(query)).order_by("-pk")[:maximum].count()
    return conversations.filter(build_indexed_q(query)).order_by()[:maximum].count()


def _in_batches(ids: Collection[str]) -> Iterator[list[str]]:
    remaining = iter(ids)
    while batch := list(islice(remaining, MAX_CANDIDATES)):
        yield batch
