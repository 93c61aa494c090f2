"""Read and count the conversations that match a query, by whichever index leads to them.

The functions take the conversations to filter as a queryset and import no other model than those of the two indexes.
"""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import Any, Literal, TypeVar

from django.db.models import F, Model, QuerySet
from django.db.models.lookups import Exact
from django.db.models.sql.where import AND

from conversations import errors
from conversations.db.hints import with_index_hint
from conversations.db.pages import Page
from conversations.schema.query.nodes import MetadataCondition, Query, is_bounded, iter_conditions, searches_text
from conversations.search.item_text import full_text_enabled
from conversations.search.metadata_pair import MetadataPair
from conversations.search.metadata_scan import MetadataScan
from conversations.search.predicates import build_q, metadata_correlated, value_condition
from conversations.search.text_scan import candidate_ids, count_matches, first_by_scan, first_candidates

MAX_READABLE = 50_000  # conversations that one query may read if no index leads to its matches
MAX_IDS = 1_000  # ids in one statement

ConversationType = TypeVar("ConversationType", bound=Model)


def page(
    conversations: QuerySet[ConversationType],
    *,
    limit: int,
    order: Literal["asc", "desc"],
    after: str | None,
    before: str | None,
    query: Query,
) -> Page[ConversationType]:
    """Return the `limit` matches that follow `after`, or directly precede `before`, in this order of their ids."""
    check_bounded(conversations, query)
    is_ascending = (order == "asc") == (before is None)
    cursor = after if before is None else before
    matches = _first(conversations, limit + 1, is_ascending=is_ascending, after=cursor, query=query)
    page = Page.cut(matches, limit)
    return page if before is None else page.reversed()


def capped_count(conversations: QuerySet[ConversationType], maximum: int, *, query: Query) -> int:
    """Return the number of matches, or `maximum` if there are more."""
    check_bounded(conversations, query)
    using = conversations.db
    owner_id = _only_owner(conversations)
    has_other_filters = len(conversations.query.where.children) > (owner_id is not None)
    if isinstance(query, MetadataCondition) and not has_other_filters:
        owner_filter = {} if owner_id is None else {"owner": owner_id}
        pairs = MetadataPair.objects.using(using).filter(
            value_condition(query, F("value")), key=query.key, **owner_filter
        )
        return pairs.values("key")[:maximum].count()
    scan = MetadataScan(query, is_ascending=False, owner_id=owner_id, using=using)
    candidates = candidate_ids(query, using=using)
    if candidates is not None or (searches_text(query) and not scan.index_scans):
        return count_matches(conversations, maximum, query=query, ids=candidates)
    if not scan.index_scans:
        by_id = build_q(query, metadata=partial(metadata_correlated, id_name="pk"))
        return conversations.filter(by_id).order_by("-pk")[:maximum].count()
    matches = scan.ids(after=None, batch=maximum)
    if not has_other_filters:
        return sum(1 for _ in islice(matches, maximum))
    count = 0
    while count < maximum and (batch := list(islice(matches, MAX_IDS))):
        count += conversations.filter(pk__in=batch).count()
    return min(count, maximum)


def check_bounded(conversations: QuerySet[Any], query: Query) -> None:
    """Raise an error if the query searches text although that is off, or if it would read too many conversations."""
    if searches_text(query) and not full_text_enabled(using=conversations.db):
        raise errors.full_text_off()
    metadata = (each for each in iter_conditions(query) if isinstance(each, MetadataCondition))
    unbounded = next((condition for condition in metadata if not condition.definition.is_bounded), None)
    if unbounded is None or is_bounded(query):
        return
    if conversations.order_by()[: MAX_READABLE + 1].count() > MAX_READABLE:
        path = f"metadata[{unbounded.key}][{unbounded.operator}]"
        raise errors.unbounded_condition(path, operator=unbounded.operator, maximum=MAX_READABLE)


def _first(
    conversations: QuerySet[ConversationType], count: int, *, is_ascending: bool, after: str | None, query: Query
) -> list[ConversationType]:
    using = conversations.db
    owner_id = _only_owner(conversations)
    conversations = conversations.order_by("pk" if is_ascending else "-pk")
    scan = MetadataScan(query, is_ascending=is_ascending, owner_id=owner_id, using=using)
    candidates = candidate_ids(query, using=using)
    if candidates is not None or not scan.index_scans:
        if after is not None:
            conversations = conversations.filter(**{"pk__gt" if is_ascending else "pk__lt": after})
        if candidates is not None:
            return first_candidates(candidates, conversations, count, query=query, is_ascending=is_ascending)
        if searches_text(query):
            return first_by_scan(conversations, count, query=query, is_ascending=is_ascending)
        if owner_id is not None:
            conversations = with_index_hint(conversations, "conversations_owner_id")
        by_id = build_q(query, metadata=partial(metadata_correlated, id_name="pk"))
        return list(conversations.filter(by_id)[:count])
    rows: list[ConversationType] = []
    matches = scan.ids(after=after, batch=count)
    # The queryset may have filters that the index does not know, so that fewer rows than ids remain.
    while batch := list(islice(matches, count - len(rows))):
        rows += conversations.filter(pk__in=batch)
    return rows


def _only_owner(conversations: QuerySet[Any]) -> Any:
    """Return the owner whose conversations alone the queryset contains, or None; owners have indexes of their own."""
    where = conversations.query.where
    owner = conversations.model._meta.get_field("owner")
    filters = where.children if where.connector == AND and not where.negated else []
    return next(
        (each.rhs for each in filters if isinstance(each, Exact) and getattr(each.lhs, "target", None) == owner), None
    )
