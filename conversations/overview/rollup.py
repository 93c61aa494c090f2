"""Rollup of conversations and items into the figures of the overview, in batches that resume where the last one ended.

A rollup reads conversations and items in the order of their primary keys and stores the last keys that it has counted
with the figures. It does not notice changes and deletions of rows that it has passed, except for redactions, which move
the figures themselves; a rebuild counts all rows anew and then replaces the figures.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from django.db import router, transaction
from django.db.models import BigIntegerField, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from conversations import ids
from conversations.db.table_sizes import table_sizes
from conversations.models import Conversation, FigureKind, FigureName, Item, Overview, OverviewFigure
from conversations.overview.item_counts import count_items
from conversations.schema.metadata import MAX_KEY_LENGTH, MAX_VALUE_LENGTH

BATCH_SIZE = 10_000  # rows
# Younger rows wait for the next run: a transaction that is still open may commit rows that sort before them.
SETTLED_AFTER = timedelta(minutes=1)
MAX_KEY = BigIntegerField.MAX_BIGINT

_SECOND = re.compile(f"{ids.CONVERSATION_PREFIX}([0-9a-f]{{8}})")


@dataclass
class RollupBatch:
    """Figures of consecutive rows. The last rows of the table if it has fewer rows than the limit."""

    figures: Counter[FigureName] = field(default_factory=Counter)
    count: int = 0  # rows
    cursor: dict[str, str | int] = field(default_factory=dict)  # field of Overview and the last row's primary key


@dataclass(frozen=True)
class RollupProgress:
    conversations: int
    items: int
    total_conversations: int
    total_items: int  # upper bound: a difference of primary keys, which includes deleted items


def refresh(*, rebuild: bool = False, batch_size: int = BATCH_SIZE) -> Iterator[RollupProgress]:
    """Count rows that are newer than the last run, or all rows on a rebuild, and yield the progress after each batch.

    Parallel runs share the work. A run ends early if a rebuild that started later finishes first.
    """
    now = timezone.now()
    overview = _overview_to_fill(rebuild=rebuild)
    totals = (
        Conversation.objects.filter(pk__gt=overview.last_conversation_id).count(),
        _last_item_key() - overview.last_item,
    )
    options: Any = {
        "zone": ZoneInfo(overview.time_zone),
        "limit": batch_size,
        "before": now - SETTLED_AFTER,
    }
    conversations = items = 0
    for count in _add_batches(overview, lambda: count_conversations_after(overview.last_conversation_id, **options)):
        conversations += count
        yield RollupProgress(conversations, items, *totals)
    for count in _add_batches(overview, lambda: count_items_after(overview.last_item, **options)):
        items += count
        yield RollupProgress(conversations, items, *totals)
    sizes = {FigureName(FigureKind.SIZE, *name): size for *name, size in table_sizes(Overview.objects.all().db)}
    overview.complete(sizes=sizes, counted_at=now)
    yield RollupProgress(conversations, items, conversations, items)


def count_conversations_after(
    conversation_id: str, *, zone: tzinfo, limit: int, before: datetime | None = None
) -> RollupBatch:
    """Count at most `limit` conversations with greater ids, whose ids were created before a time."""
    batch = RollupBatch()
    rows = Conversation.objects.filter(pk__gt=conversation_id)
    if before:
        rows = rows.filter(pk__lt=ids.lower_bound(ids.CONVERSATION_PREFIX, seconds=int(before.timestamp())))
    for pk, owner, metadata in rows.order_by("pk").values_list("pk", "owner_id", "metadata")[:limit]:
        batch.count += 1
        batch.cursor = {"last_conversation_id": pk}
        batch.figures[FigureName(FigureKind.CONVERSATIONS, _creation_day(pk, zone))] += 1
        batch.figures[FigureName(FigureKind.OWNER, str(owner))] += 1
        for key, value in metadata.items() if isinstance(metadata, dict) else ():
            if isinstance(value, str) and len(key) <= MAX_KEY_LENGTH and len(value) <= MAX_VALUE_LENGTH:
                batch.figures[FigureName(FigureKind.KEY, key)] += 1
                batch.figures[FigureName(FigureKind.VALUE, key, value)] += 1
    return batch


def count_items_after(item_key: int, *, zone: tzinfo, limit: int, before: datetime | None = None) -> RollupBatch:
    """Count at most `limit` items with greater primary keys, up to the first that was created after `before`."""
    items = Item.objects.filter(pk__gt=item_key).order_by("pk")
    if last := items.values_list("pk", flat=True)[limit - 1 : limit].first():
        items = items.filter(pk__lte=last)
    if before:
        # An imported item with a time in the future blocks no others.
        young = items.filter(created_at__gte=before, created_at__lte=timezone.now()).values("pk")[:1]
        # One statement, because rows may be committed between two.
        items = items.filter(pk__lt=Coalesce(Subquery(young), MAX_KEY))
    counts = count_items(items, zone=zone)
    return RollupBatch(counts.figures, counts.count, {"last_item": counts.last_key})


@contextmanager
def recounted(items: QuerySet[Item]) -> Iterator[None]:
    """Move the figures of items that get another type in the `with` statement, in overviews that have counted them."""
    using = router.db_for_write(Overview)
    with transaction.atomic(using=using):
        overviews = list(Overview.objects.using(using).select_for_update())
        before = [_counted(items, overview) for overview in overviews]
        yield
        for overview, change in zip(overviews, before, strict=True):
            change.subtract(_counted(items, overview))
            OverviewFigure.objects.using(using).change(overview, {name: -count for name, count in change.items()})


def _counted(items: QuerySet[Item], overview: Overview) -> Counter[FigureName]:
    return count_items(items.filter(pk__lte=overview.last_item), zone=ZoneInfo(overview.time_zone)).figures


def day_start_seconds(day: date, zone: tzinfo) -> int:
    """Return the Unix second at which the day begins in the time zone."""
    return int(datetime.combine(day, time(), tzinfo=zone).timestamp())


def _overview_to_fill(*, rebuild: bool) -> Overview:
    """Return the overview to add figures to: a new one for a rebuild or after a change of the time zone."""
    zone = timezone.get_default_timezone_name()
    overviews = Overview.objects.using(router.db_for_write(Overview))
    current = overviews.current() or overviews.order_by("-pk").first()
    if rebuild or current is None or current.time_zone != zone:
        return overviews.create(time_zone=zone)
    return current


def _last_item_key() -> int:
    return Item.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def _add_batches(overview: Overview, count_next: Callable[[], RollupBatch]) -> Iterator[int]:
    """Add batches to the overview until there is none left, and yield the number of rows of each."""
    while (batch := count_next()).count:
        if overview.add(batch.figures, **batch.cursor):
            yield batch.count
        elif not _reload_cursors(overview):
            return


def _reload_cursors(overview: Overview) -> bool:
    """Load the cursors that a parallel run has moved. Return False if a later rebuild has replaced the overview."""
    stored = Overview.objects.using(router.db_for_write(Overview, instance=overview)).filter(pk=overview.pk).first()
    if stored:
        overview.last_conversation_id, overview.last_item = stored.last_conversation_id, stored.last_item
    return stored is not None


def _creation_day(conversation_id: str, zone: tzinfo) -> str:
    """Return the day that the id contains, as filters by date do, or an empty string if it contains no time."""
    second = _SECOND.match(conversation_id)
    return datetime.fromtimestamp(int(second[1], 16), tz=UTC).astimezone(zone).date().isoformat() if second else ""
