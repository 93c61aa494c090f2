"""The figures of the overview, counted in the simplest way: by reading all rows."""

import itertools
from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.utils import timezone

from conversations import ids
from conversations.models import Conversation, Item
from conversations.overview.period import Period
from conversations.overview.report import FigureKind, OverviewReport
from conversations.schema.item_failures import find_failure

ALL_DAYS = 400
_bits = itertools.count(1)
MAX_DISTANCE = 100  # positions from a call to its output


def plain_counts(time_zone: str) -> dict[str, Counter[Any]]:
    zone = ZoneInfo(time_zone)
    counts: dict[str, Counter[Any]] = {
        name: Counter()
        for name in ("days", "item days", "types", "failed days", "tools", "failed tools", "keys", "values", "owners")
    }
    for conversation in Conversation.objects.all():
        counts["days"][ids.created_at(conversation.pk).astimezone(zone).date()] += 1
        counts["owners"][str(conversation.owner_id)] += 1
        counts["keys"].update(list(conversation.metadata))
        counts["values"].update(list(conversation.metadata.items()))
    for item in Item.objects.all():
        day = datetime.astimezone(item.created_at, zone).date()
        counts["item days"][day] += 1
        counts["types"][item.type] += 1
        counts["tools"].update([item.tool] if item.tool else [])
        if find_failure(item.data):
            counts["failed days"][day] += 1
            counts["failed tools"].update(filter(None, [item.tool or _tool_of_output(item)]))
    return counts


def _tool_of_output(output: Item) -> str:
    before = Item.objects.filter(conversation=output.conversation_id, position__lt=output.position)
    near = before.filter(position__gte=output.position - MAX_DISTANCE).order_by("position")
    calls = [item.tool for item in near if item.tool and item.call_id == output.call_id != ""]
    return calls[-1] if calls else ""


def report_counts() -> dict[str, Counter[Any]]:
    """Return the figures of the report in the same form, over ALL_DAYS days."""
    report = OverviewReport()
    assert report.is_up_to_date
    keys = report.top(FigureKind.KEY, 1000)
    values = report.values_of([key for key, _count in keys], 1000)
    period = Period.of_days(ALL_DAYS, last=report.today)
    tools = report.tools(period, 1000)
    counts: dict[str, Any] = {
        "days": report.by_day(FigureKind.CONVERSATIONS, period),
        "item days": report.by_day(FigureKind.ITEMS, period),
        "failed days": report.by_day(FigureKind.FAILED, period),
        "types": dict(report.item_types(period)),
        "tools": {tool.name: tool.calls for tool in tools},
        "failed tools": {tool.name: tool.failed for tool in tools},
        "keys": dict(keys),
        "values": {(key, value): count for key, values_of_key in values.items() for value, count in values_of_key},
        "owners": dict(report.top(FigureKind.OWNER, 1000)),
    }
    assert report.total(FigureKind.CONVERSATIONS) == sum(counts["days"].values())
    assert report.total(FigureKind.ITEMS) == sum(counts["item days"].values())
    assert report.owner_count == len(counts["owners"])
    return {name: +Counter(count) for name, count in counts.items()}


def create_conversations(owner: Any, counts: dict[int, int], **values: Any) -> None:
    """Create so many conversations on days so long ago, with items of the same time."""
    for days_ago, count in counts.items():
        moment = timezone.now() - timedelta(days=days_ago)
        for _ in range(count):
            nanoseconds = int(moment.timestamp()) * 10**9
            conversation_id = ids.compose_id(ids.CONVERSATION_PREFIX, nanoseconds=nanoseconds, bits=next(_bits))
            Conversation.objects.create_with_items(owner=owner, conversation_id=conversation_id, **values)
            QuerySet(Item).filter(conversation=conversation_id).update(created_at=moment)
            Conversation.objects.filter(pk=conversation_id).update(last_item_at=moment)
