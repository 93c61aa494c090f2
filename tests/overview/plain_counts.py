"""The figures of the overview, counted in the simplest way: by reading all rows."""

from collections import Counter
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from conversations import ids
from conversations.models import Conversation, Item
from conversations.overview.report import FigureKind, OverviewReport

ALL_DAYS = 400


def plain_counts(time_zone: str) -> dict[str, Counter[Any]]:
    zone = ZoneInfo(time_zone)
    counts: dict[str, Counter[Any]] = {
        name: Counter() for name in ("days", "item days", "types", "keys", "values", "owners")
    }
    for conversation in Conversation.objects.all():
        counts["days"][ids.created_at(conversation.pk).astimezone(zone).date()] += 1
        counts["owners"][str(conversation.owner_id)] += 1
        counts["keys"].update(list(conversation.metadata))
        counts["values"].update(list(conversation.metadata.items()))
    for created_at, item_type in Item.objects.values_list("created_at", "type"):
        counts["item days"][datetime.astimezone(created_at, zone).date()] += 1
        counts["types"][item_type] += 1
    return counts


def report_counts() -> dict[str, Counter[Any]]:
    """Return the figures of the report in the same form, over ALL_DAYS days."""
    report = OverviewReport()
    assert report.is_up_to_date
    keys = report.top(FigureKind.KEY, 1000)
    values = report.values_of([key for key, _count in keys], 1000)
    counts = {
        "days": report.by_day(FigureKind.CONVERSATIONS, ALL_DAYS),
        "item days": report.by_day(FigureKind.ITEMS, ALL_DAYS),
        "types": dict(report.item_types(ALL_DAYS)),
        "keys": dict(keys),
        "values": {(key, value): count for key, values_of_key in values.items() for value, count in values_of_key},
        "owners": dict(report.top(FigureKind.OWNER, 1000)),
    }
    assert report.total(FigureKind.CONVERSATIONS) == sum(counts["days"].values())
    assert report.total(FigureKind.ITEMS) == sum(counts["item days"].values())
    assert report.owner_count == len(counts["owners"])
    return {name: +Counter(count) for name, count in counts.items()}
