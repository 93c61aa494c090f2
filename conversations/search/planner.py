"""Read and count the conversations that match a query, by whichever index leads to them.

The functions take the conversations to filter as a queryset and import no other model than those of the two indexes.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, islice
from typing import Any, Literal, TypeVar

from django.db.models import F, Model, QuerySet
from django.db.models.lookups import Exact
from django.db.models.sql.where import AND

from conversations import errors
from conversations.db.hints import with_index_hint
from conversations.db.pages import Page
from conversations.schema.query.nodes import (
    EVERYTHING,
    And,
    CreatedCondition,
    MetadataCondition,
    Or,
    Query,
    is_bounded,
    iter_conditions,
    searches_text,
)
from conversations.search.activity_order import (
    Activity,
    OrderBy,
    find_activity,
    order_of_index,
    read_by_activity,
    read_sorted,
    split_by_activity,
)
from conversations.search.item_text import full_text_enabled
from conversations.search.metadata_pair import MetadataPair
from conversations.search.metadata_scan import MetadataScan
from conversations.search.predicates import created_range, value_condition
from conversations.search.text_scan import (
    build_correlated_q,
    build_indexed_q,
    candidate_ids,
    count_matches,
    first_by_scan,
    first_candidates,
)

MAX_READABLE = 50_000  # conversations that one query may read if no index leads to its matches
MAX_IDS = 1_000  # ids in one statement
MAX_SORTED = 1_000  # matches that are sorted by their last activity rather than read in this order

ConversationType = TypeVar("ConversationType", bound=Model)


def page(
    conversations: QuerySet[ConversationType],
    *,
    limit: int,
    order: Literal["asc", "desc"],
    order_by: OrderBy,
    after: str | None,
    before: str | None,
    query: Query,
) -> Page[ConversationType]:
    """Return the `limit` matches that follow `after`, or directly precede `before`, in this order."""
    check_bounded(conversations, query)
    is_ascending = (order == "asc") == (before is None)
    if order_by == "last_item_at":
        key = find_activity(conversations, after=after, before=before)
        matches = _first_by_activity(conversations, limit + 1, is_ascending=is_ascending, after=key, query=query)
    else:
        cursor = after if before is None else before
        matches = _first(conversations, limit + 1, is_ascending=is_ascending, after=cursor, query=query)
    page = Page.cut(matches, limit)
    return page if before is None else page.reversed()


def capped_count(conversations: QuerySet[ConversationType], maximum: int, *, query: Query) -> int:
    """Return the number of matches, or `maximum` if there are more."""
    check_bounded(conversations, query)
    using = conversations.db
    owner_id, end_user = _only(conversations, "owner"), _only(conversations, "end_user")
    has_other_filters = len(conversations.query.where.children) > (owner_id is not None)
    if (ranges := _in_one_range(query)) and not has_other_filters:
        condition, *created = ranges
        owner_filter = {} if owner_id is None else {"owner": owner_id}
        pairs = MetadataPair.objects.using(using).filter(
            value_condition(condition, F("value")),
            *(created_range(each, id_name="conversation_id") for each in created),
            key=condition.key,
            **owner_filter,
        )
        return pairs.values("key")[:maximum].count()
    if end_user is not None:  # See `_first`.
        return conversations.filter(build_correlated_q(query)).order_by("-pk")[:maximum].count()
    scan = MetadataScan(query, is_ascending=False, owner_id=owner_id, using=using)
    candidates = candidate_ids(query, using=using)
    if candidates is not None or (searches_text(query) and not scan.index_scans):
        return count_matches(conversations, maximum, query=query, ids=candidates)
    if not scan.index_scans:
        ordering = order_of_index(query, using=using) or ["-pk"]
        return conversations.filter(build_indexed_q(query)).order_by(*ordering)[:maximum].count()
    matches = scan.ids(after=None, batch=maximum)
    if not has_other_filters:
        return sum(1 for _ in islice(matches, maximum))
    count = 0
    while count < maximum and (batch := list(islice(matches, MAX_IDS))):
        count += conversations.filter(pk__in=batch).count()
    return min(count, maximum)


def _in_one_range(query: Query) -> tuple[Any, ...]:
    """Return a metadata condition, and bounds of the creation, if the rows of one index are the matches, or else ()."""
    if isinstance(query, MetadataCondition):
        return (query,)
    parts = query.parts if isinstance(query, And) else ()
    conditions = [each for each in parts if isinstance(each, MetadataCondition) and each.operator == "eq"]
    created = [each for each in parts if isinstance(each, CreatedCondition)]
    return (*conditions, *created) if len(conditions) == 1 and len(created) == len(parts) - 1 else ()


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
    owner_id, end_user = _only(conversations, "owner"), _only(conversations, "end_user")
    conversations = conversations.order_by("pk" if is_ascending else "-pk")
    scan = MetadataScan(query, is_ascending=is_ascending, owner_id=owner_id, using=using)
    # An end user has few conversations, so that reading all of them costs less than scanning an index of the owner.
    candidates = candidate_ids(query, using=using) if end_user is None else None
    has_index = candidates is not None or scan.index_scans or end_user is not None
    if not has_index and isinstance(query, Or) and is_bounded(query):
        # Each alternative has an index of its own.
        parts = (_first(conversations, count, is_ascending=is_ascending, after=after, query=p) for p in query.parts)
        return _merge(parts, count, is_ascending=is_ascending)
    if candidates is not None or not scan.index_scans or end_user is not None:
        if after is not None:
            conversations = conversations.filter(**{"pk__gt" if is_ascending else "pk__lt": after})
        if candidates is not None:
            return first_candidates(candidates, conversations, count, query=query, is_ascending=is_ascending)
        if searches_text(query):
            return first_by_scan(conversations, count, query=query, is_ascending=is_ascending)
        if end_user is not None:
            conversations = with_index_hint(conversations, "conversations_end_user")
        elif owner_id is not None:
            conversations = with_index_hint(conversations, "conversations_owner_id")
        conversations = conversations.filter(build_indexed_q(query))
        firsts = (part[:count] for part in split_by_activity(conversations, query))
        return _merge(firsts, count, is_ascending=is_ascending)
    rows: list[ConversationType] = []
    matches = scan.ids(after=after, batch=count)
    # The queryset may have filters that the index does not know, so that fewer rows than ids remain.
    while batch := list(islice(matches, count - len(rows))):
        rows += conversations.filter(pk__in=batch)
    return rows


def _merge(parts: Iterable[Iterable[ConversationType]], count: int, *, is_ascending: bool) -> list[ConversationType]:
    """Return the first rows of all parts together, of each of which the first `count` rows are given."""
    rows_by_id = {row.pk: row for row in chain.from_iterable(parts)}
    return [rows_by_id[pk] for pk in sorted(rows_by_id, reverse=not is_ascending)[:count]]


def _first_by_activity(
    conversations: QuerySet[ConversationType], count: int, *, is_ascending: bool, after: Activity | None, query: Query
) -> list[ConversationType]:
    if query != EVERYTHING or conversations.query.has_filters():
        # No index has both the activity and the other conditions. Sort matches that are few.
        columns = conversations.select_related(None).only("last_item_at")
        few = _first(columns, MAX_SORTED + 1, is_ascending=False, after=None, query=query)
        if len(few) <= MAX_SORTED:
            return read_sorted(few, conversations, count, is_ascending=is_ascending, after=after)
    matching = build_correlated_q(query)
    return read_by_activity(conversations, count, matching=matching, is_ascending=is_ascending, after=after)


def _only(conversations: QuerySet[Any], name: Literal["owner", "end_user"]) -> Any:
    """Return the owner or end user whose conversations alone the queryset contains, or None. Both have own indexes."""
    where = conversations.query.where
    field = conversations.model._meta.get_field(name)
    filters = where.children if where.connector == AND and not where.negated else []
    return next(
        (each.rhs for each in filters if isinstance(each, Exact) and getattr(each.lhs, "target", None) == field), None
    )
