"""Which conversations say something, in their order, at a price that is known beforehand.

The indexes of words have no order, and what else is asked for may hold of few of those that say a word. So there are
two ways. What no more than `MAX_FEW` items say is fetched whole, and all else is asked of their conversations alone.
What is said more often, which PostgreSQL knows by its statistics, is looked for in one conversation after the other, in
`WINDOW` of them; only where these don't fill the page is the index asked for all that is left, which costs as much as
there are items that say it. To be counted, what its statistics call frequent is looked for so to the end.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from conversations.schema.query.nodes import And, Or, Query, TextCondition, conditions
from conversations.search.item_text import ItemText
from conversations.search.predicates import build_q, metadata_correlated, text_correlated, text_in_index

MAX_FEW = 1_000
WINDOW = 1_000

ConversationType = TypeVar("ConversationType", bound=Model)


def candidate_ids(query: Query, *, using: str) -> set[str] | None:
    """Of all conversations that can match and perhaps of others, or None where something frequent must be asked."""
    match query:
        case And(of):
            known = [ids for part in of if (ids := candidate_ids(part, using=using)) is not None]
            return set.intersection(*known) if known else None
        case Or(of):
            union: set[str] = set()
            for part in of:
                ids = candidate_ids(part, using=using)
                if ids is None:
                    return None
                union |= ids
            return union
        case TextCondition(phrase):
            texts = ItemText.objects.using(using)
            if texts.is_frequent(phrase):
                return None
            some = list(texts.search_phrase(phrase).values_list("conversation", flat=True)[: MAX_FEW + 1])
            return set(some) if len(some) <= MAX_FEW else None
    return None


def first_candidates(
    ids: set[str], conversations: QuerySet[ConversationType], count: int, *, query: Query, is_ascending: bool
) -> list[ConversationType]:
    """Of those with these ids and in the order of ids, the first that match."""
    matching = conversations.filter(build_q(query, metadata=_metadata, text=_text))
    found: list[ConversationType] = []
    for some in _in_batches(sorted(ids, reverse=not is_ascending)):
        found += matching.filter(pk__in=some)[: count - len(found)]
        if len(found) == count:
            break
    return found


def first_by_scan(
    conversations: QuerySet[ConversationType], count: int, *, query: Query, is_ascending: bool
) -> list[ConversationType]:
    """The first that match of conversations in the order of their ids."""
    ends = list(conversations.values_list("pk", flat=True)[WINDOW - 1 : WINDOW])
    near = conversations.filter(build_q(query, metadata=_metadata, text=_text))
    if not ends:
        return list(near[:count])
    within, beyond = ("pk__lte", "pk__gt") if is_ascending else ("pk__gte", "pk__lt")
    found = list(near.filter(**{within: ends[0]})[:count])
    if len(found) < count:
        far = conversations.filter(build_q(query, metadata=_metadata, text=text_in_index), **{beyond: ends[0]})
        found += far[: count - len(found)]
    return found


def count_matches(conversations: QuerySet[Any], maximum: int, *, query: Query, ids: set[str] | None) -> int:
    """How many match, those with these ids or all, or `maximum` if there are more."""
    if ids is None:
        texts = ItemText.objects.using(conversations.db)
        asked = (each.phrase for each in conditions(query) if isinstance(each, TextCondition))
        if any(map(texts.is_frequent, asked)):
            near = conversations.filter(build_q(query, metadata=_metadata, text=_text))
            return near.order_by("-pk")[:maximum].count()
        matching = conversations.filter(build_q(query, metadata=_metadata, text=text_in_index))
        return matching.order_by()[:maximum].count()
    matching = conversations.filter(build_q(query, metadata=_metadata, text=_text))
    return min(maximum, sum(matching.filter(pk__in=some).count() for some in _in_batches(ids)))


def _in_batches(ids: Collection[str]) -> Iterator[list[str]]:
    rest = iter(ids)
    while some := list(islice(rest, MAX_FEW)):
        yield some


_metadata = partial(metadata_correlated, id_name="pk")
_text = partial(text_correlated, id_name="pk")
