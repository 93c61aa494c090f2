"""Figures of items, grouped by the database: by day and type, failures, and calls by tool."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import tzinfo

from django.db.models import Case, Count, F, IntegerField, Max, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Cast, Coalesce

from conversations.models import FigureKind, FigureName, Item
from conversations.schema.item_failures import FAILED

MAX_DISTANCE = 100  # positions between an output that reports a failure and its call, so that few rows are read for it


@dataclass
class ItemCounts:
    figures: Counter[FigureName] = field(default_factory=Counter)
    count: int = 0  # items
    last_key: int = 0  # greatest primary key


def count_items(items: QuerySet[Item], *, zone: tzinfo) -> ItemCounts:
    """Count the items by a statement that reads each once, and the calls of those that are failed outputs.

    The database groups by the exact time, because databases do not know all time zones.
    """
    counts = ItemCounts()
    groups = items.order_by().annotate(failed_tool=_failed_tool()).values("created_at", "type", "tool", "failed_tool")
    rows = groups.annotate(is_failed=Q(status=FAILED), count=Count("pk"), last_key=Max("pk"))
    names = ("created_at", "type", "tool", "failed_tool", "is_failed", "count", "last_key")
    for created_at, item_type, tool, failed_tool, is_failed, count, last_key in rows.values_list(*names):
        day = created_at.astimezone(zone).date().isoformat()
        counts.count += count
        counts.last_key = max(counts.last_key, last_key)
        counts.figures[FigureName(FigureKind.ITEMS, day, item_type)] += count
        if tool:
            counts.figures[FigureName(FigureKind.TOOL, day, tool)] += count
        if is_failed:
            counts.figures[FigureName(FigureKind.FAILED, day, item_type)] += count
        if failed_tool:
            counts.figures[FigureName(FigureKind.FAILED_TOOL, day, failed_tool)] += count
    return counts


def _failed_tool() -> Case:
    """Return the tool of a call that reports a failure, or of the call that a failed output answers, or ""."""
    position = Cast(OuterRef("position"), IntegerField())  # MariaDB refuses negative results of unsigned columns.
    calls = Item.objects.filter(
        conversation=OuterRef("conversation"),
        call_id=OuterRef("call_id"),
        position__lt=OuterRef("position"),
        position__gte=position - MAX_DISTANCE,
    ).exclude(tool="")
    call_tool = Coalesce(Subquery(calls.order_by("-position").values("tool")[:1]), Value(""))
    return Case(
        When(~Q(tool="") & Q(status=FAILED), then=F("tool")),
        When(Q(status=FAILED) & ~Q(call_id=""), then=call_tool),
        default=Value(""),
    )
