"""Counts conversations and items for the overview: on from where the last count ended, in batches."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone

from conversations import ids
from conversations.db.table_sizes import table_sizes
from conversations.models import Conversation, FigureName, Item, Overview, OverviewFigure
from conversations.schema.metadata import MAX_KEY_LENGTH, MAX_VALUE_LENGTH

BATCH = 10_000
# What a transaction has begun to write may show up only later, before rows that can be seen by now.
SETTLED_AFTER = timedelta(minutes=1)

FigureKind = OverviewFigure.Kind
_SECOND = re.compile(f"{ids.CONVERSATION_PREFIX}([0-9a-f]{{8}})")


@dataclass
class RollupBatch:
    """The figures of some rows that follow each other. Where there are fewer than asked for, they are the last."""

    figures: Counter[FigureName] = field(default_factory=Counter)
    count: int = 0
    place: dict[str, str | int] = field(default_factory=dict)  # of the last row, as an overview keeps it


@dataclass(frozen=True)
class RollupProgress:
    conversations: int
    items: int
    total_conversations: int
    total_items: int  # at most: keys of deleted items are among them


def refresh(*, rebuild: bool = False, batch_size: int = BATCH) -> Iterator[RollupProgress]:
    """Count what is new since the last time or, to see deletions and changes too, everything.

    Two at once share the work. A run ends early where a later one that counts everything is done before it.
    """
    now = timezone.now()
    overview = _overview(rebuild=rebuild)
    totals = (
        Conversation.objects.filter(pk__gt=overview.last_conversation_id).count(),
        _last_item() - overview.last_item,
    )
    options: Any = {
        "zone": ZoneInfo(overview.time_zone),
        "limit": batch_size,
        "before": now - SETTLED_AFTER,
    }
    conversations = items = 0
    for count in _counted(overview, lambda: count_conversations_after(overview.last_conversation_id, **options)):
        conversations += count
        yield RollupProgress(conversations, items, *totals)
    for count in _counted(overview, lambda: count_items_after(overview.last_item, **options)):
        items += count
        yield RollupProgress(conversations, items, *totals)
    sizes = {FigureName(FigureKind.SIZE, *name): size for *name, size in table_sizes(Overview.objects.all().db)}
    overview.complete(sizes=sizes, counted_at=now)
    yield RollupProgress(conversations, items, conversations, items)


def count_conversations_after(place: str, *, zone: tzinfo, limit: int, before: datetime | None = None) -> RollupBatch:
    batch = RollupBatch()
    rows = Conversation.objects.filter(pk__gt=place)
    if before:
        rows = rows.filter(pk__lt=ids.lower_bound(ids.CONVERSATION_PREFIX, seconds=int(before.timestamp())))
    for conversation_id, owner, metadata in rows.order_by("pk").values_list("pk", "owner_id", "metadata")[:limit]:
        batch.count += 1
        batch.place = {"last_conversation_id": conversation_id}
        batch.figures[FigureName(FigureKind.CONVERSATIONS, _day_of(conversation_id, zone))] += 1
        batch.figures[FigureName(FigureKind.OWNER, str(owner))] += 1
        for key, value in metadata.items() if isinstance(metadata, dict) else ():
            if isinstance(value, str) and len(key) <= MAX_KEY_LENGTH and len(value) <= MAX_VALUE_LENGTH:
                batch.figures[FigureName(FigureKind.KEY, key)] += 1
                batch.figures[FigureName(FigureKind.VALUE, key, value)] += 1
    return batch


def count_items_after(place: int, *, zone: tzinfo, limit: int, before: datetime | None = None) -> RollupBatch:
    """In the order of their keys, up to the first that has just been created."""
    batch = RollupBatch()
    now = timezone.now()
    rows = Item.objects.filter(pk__gt=place).order_by("pk").values_list("pk", "created_at", "type")
    for key, created_at, item_type in rows[:limit]:
        if before and before <= created_at <= now:
            break
        batch.count += 1
        batch.place = {"last_item": key}
        batch.figures[FigureName(FigureKind.ITEMS, created_at.astimezone(zone).date().isoformat(), item_type)] += 1
    return batch


def day_start_seconds(day: date, zone: tzinfo) -> int:
    """Return the Unix second at which the day begins in this time zone."""
    return int(datetime.combine(day, time(), tzinfo=zone).timestamp())


def _overview(*, rebuild: bool) -> Overview:
    zone = timezone.get_default_timezone_name()
    current = Overview.objects.current() or Overview.objects.order_by("-pk").first()
    if rebuild or current is None or current.time_zone != zone:
        return Overview.objects.create(time_zone=zone)
    return current


def _last_item() -> int:
    return Item.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def _counted(overview: Overview, next_batch: Callable[[], RollupBatch]) -> Iterator[int]:
    while (batch := next_batch()).count:
        if overview.add(batch.figures, **batch.place):
            yield batch.count
        elif not _is_still_there(overview):
            return


def _is_still_there(overview: Overview) -> bool:
    """With the place that a parallel run has reached."""
    fresh = Overview.objects.filter(pk=overview.pk).first()
    if fresh:
        overview.last_conversation_id, overview.last_item = fresh.last_conversation_id, fresh.last_item
    return fresh is not None


def _day_of(conversation_id: str, zone: tzinfo) -> str:
    """As lists by time take it, from the id; an id from elsewhere that tells no time is of no day."""
    second = _SECOND.match(conversation_id)
    return datetime.fromtimestamp(int(second[1], 16), tz=UTC).astimezone(zone).date().isoformat() if second else ""
