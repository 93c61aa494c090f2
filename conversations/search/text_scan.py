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

from django.db.models import Model, QuerySet

from conversations.schema.query.nodes import And, Or, Query, TextCondition, iter_conditions
from conversations.search.item_text import ItemText
from conversations.search.predicates import build_q, metadata_correlated, text_correlated, text_in_index

MAX_CANDIDATES = 1_000
MAX_SCANNED = 1_000  # conversations checked one by one before the full-text index is read

ConversationType = TypeVar("ConversationType", bound=Model)

_build_correlated_q = partial(
    build_q, metadata=partial(metadata_correlated, id_name="pk"), text=partial(text_correlated, id_name="pk")
)
_build_indexed_q = partial(build_q, metadata=partial(metadata_correlated, id_name="pk"), text=text_in_index)


def candidate_ids(query: Query, *, using: str) -> set[str] | None:
    """Return a superset of the matching ids, or None if a term is too frequent to enumerate."""
    match query:
        case And(parts):
            enumerated = [ids for part in parts if (ids := candidate_ids(part, using=using)) is not None]
            return set.intersection(*enumerated) if enumerated else None
        case Or(parts):
            union: set[str] = set()
            for part in parts:
                ids = candidate_ids(part, using=using)
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
    return None


def first_candidates(
    ids: set[str], conversations: QuerySet[ConversationType], count: int, *, query: Query, is_ascending: bool
) -> list[ConversationType]:
    """Return the first `count` matches among the conversations with these ids, in the order of ids."""
    matching = conversations.filter(_build_correlated_q(query))
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
    correlated = conversations.filter(_build_correlated_q(query))
    if not scan_end:
        return list(correlated[:count])
    within, beyond = ("pk__lte", "pk__gt") if is_ascending else ("pk__gte", "pk__lt")
    matches = list(correlated.filter(**{within: scan_end[0]})[:count])
    if len(matches) < count:
        rest = conversations.filter(_build_indexed_q(query), **{beyond: scan_end[0]})
        matches += rest[: count - len(matches)]
    return matches


def count_matches(conversations: QuerySet[Any], maximum: int, *, query: Query, ids: set[str] | None) -> int:
    """Return the number of matches among the conversations, restricted to `ids` if given, or `maximum` if more."""
    if ids is not None:
        matching = conversations.filter(_build_correlated_q(query))
        return min(maximum, sum(matching.filter(pk__in=batch).count() for batch in _in_batches(ids)))
    texts = ItemText.objects.using(conversations.db)
    phrases = (condition.phrase for condition in iter_conditions(query) if isinstance(condition, TextCondition))
    if any(map(texts.is_frequent, phrases)):
        return conversations.filter(_build_correlated_q(query)).order_by("-pk")[:maximum].count()
    return conversations.filter(_build_indexed_q(query)).order_by()[:maximum].count()


def _in_batches(ids: Collection[str]) -> Iterator[list[str]]:
    remaining = iter(ids)
    while batch := list(islice(remaining, MAX_CANDIDATES)):
        yield batch
