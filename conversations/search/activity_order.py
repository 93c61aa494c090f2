"""Conversations in the order of their last activity.

The key is the time of the last item, and then the id. Conversations that never had an item have no such time. They are
the last ones in descending order, and the first ones in ascending order.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, TypeVar

from django.db.models import Model, Q, QuerySet

from conversations import errors, ids
from conversations.db.hints import (
    IS_BACKDATED,
    IndexCondition,
    activity_ordering,
    has_backdated_index,
    start_of_hour,
    with_index_hint,
)
from conversations.schema.query.nodes import ActiveCondition, And, Query

ConversationType = TypeVar("ConversationType", bound=Model)
OrderBy = Literal["created_at", "last_item_at"]

_NEVER = datetime.min.replace(tzinfo=UTC)


class Activity(NamedTuple):
    """The key of a conversation in this order."""

    last_item_at: datetime | None
    pk: str

    @property
    def sort_key(self) -> tuple[datetime, str]:
        return self.last_item_at or _NEVER, self.pk


def order_of_index(query: Query, *, using: str) -> list[Any]:
    """Return the order in which to enumerate the matches of a query that bounds the last activity, [] for any other.

    In any other order a database may read all conversations that are not in the range first: new ones have a high id
    and are stored last.
    """
    return activity_ordering(is_ascending=True, using=using) if _conditions(query) else []


def split_by_activity(conversations: QuerySet[ConversationType], query: Query) -> list[QuerySet[ConversationType]]:
    """Split matches of a query that are read in the order of their ids, so that few others are read between them.

    Conversations that were last active before a time were created before it, except for those of a small index.
    """
    ends = [each.seconds + (each.operator == "lte") for each in _conditions(query) if each.operator in ("lt", "lte")]
    if not ends or not has_backdated_index(using=conversations.db):
        return [conversations]
    hour = min(ends) // 3600
    first_later_id = ids.lower_bound(ids.CONVERSATION_PREFIX, seconds=(hour + 1) * 3600)
    return [conversations.filter(pk__lt=first_later_id), conversations.filter(IndexCondition(IS_BACKDATED, ()))]


def _conditions(query: Query) -> list[ActiveCondition]:
    """Return the conditions on the last activity that every match meets."""
    parts = query.parts if isinstance(query, And) else (query,)
    return [part for part in parts if isinstance(part, ActiveCondition)]


def find_activity(conversations: QuerySet[Any], *, after: str | None, before: str | None) -> Activity | None:
    """Return the key of the cursor, or None if there is no cursor. Raise `APIError` if its conversation is missing."""
    name, cursor = ("after", after) if before is None else ("before", before)
    if cursor is None:
        return None
    key = conversations.filter(pk=cursor).values_list("last_item_at", "pk").first()
    if key is None:
        raise errors.invalid_cursor(name, cursor, expected="the ID of an existing conversation")
    return Activity(*key)


def read_sorted(
    matches: Iterable[Any],
    conversations: QuerySet[ConversationType],
    count: int,
    *,
    is_ascending: bool,
    after: Activity | None,
) -> list[ConversationType]:
    """Sort the matches, of which only key and id are read, and return the first `count` ones after a key."""
    keys = sorted((Activity(row.last_item_at, row.pk).sort_key for row in matches), reverse=not is_ascending)
    if after is not None:
        keys = [key for key in keys if (key > after.sort_key if is_ascending else key < after.sort_key)]
    ids = [pk for _moment, pk in keys[:count]]
    rows = {row.pk: row for row in conversations.filter(pk__in=ids)}
    return [rows[pk] for pk in ids if pk in rows]


def read_by_activity(
    conversations: QuerySet[ConversationType], count: int, *, matching: Q, is_ascending: bool, after: Activity | None
) -> list[ConversationType]:
    """Return the first `count` matches after a key. Their index is read in order, so that matches should be frequent.

    With filters of its own, such as one by owner, the queryset leaves the choice of the index to the database.
    """
    if not conversations.query.has_filters():
        conversations = with_index_hint(conversations, "conversations_active")
    conversations = conversations.filter(matching)
    rows: list[ConversationType] = []
    for part in _parts(conversations, is_ascending=is_ascending, after=after):
        rows += part[: count - len(rows)]
        if len(rows) == count:
            break
    return rows


def _parts(
    conversations: QuerySet[ConversationType], *, is_ascending: bool, after: Activity | None
) -> list[QuerySet[ConversationType]]:
    """Return the conversations with and without a last item, in the order in which a page reads them."""
    comparison = "gt" if is_ascending else "lt"
    active = conversations.filter(IndexCondition("active_hour IS NOT NULL", ()), last_item_at__isnull=False)
    active = active.order_by(*activity_ordering(is_ascending=is_ascending, using=conversations.db))
    empty = conversations.filter(IndexCondition("active_hour IS NULL", ()), last_item_at__isnull=True)
    empty = empty.order_by("pk" if is_ascending else "-pk")
    if after is None:
        return [empty, active] if is_ascending else [active, empty]
    beyond_id = Q((f"pk__{comparison}", after.pk))
    if after.last_item_at is None:
        empty = empty.filter(beyond_id)
        return [empty, active] if is_ascending else [empty]
    moment = after.last_item_at
    # The first two conditions bound the range of the index, which the alternatives of the third one do not.
    active = active.filter(
        IndexCondition(f"active_hour {'>=' if is_ascending else '<='} %s", [start_of_hour(moment)]),
        Q((f"last_item_at__{comparison}e", moment)),
        Q((f"last_item_at__{comparison}", moment)) | (Q(last_item_at=moment) & beyond_id),
    )
    return [active] if is_ascending else [active, empty]
