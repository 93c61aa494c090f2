from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from conversations.models import Conversation, FigureKind, Item
from conversations.overview import filtered
from conversations.overview.filtered import FilteredReport
from conversations.overview.period import Comparison, Period
from conversations.overview.report import ToolFigures
from conversations.schema.items import validate_items
from conversations.schema.query.parser import parse_query
from tests.overview.plain_counts import create_conversations
from tests.plans import analyze, capture_statements, plan_steps
from tests.seed import seed_conversations

ITEMS = validate_items(
    [
        {"role": "user", "content": "hi"},
        {"type": "function_call", "call_id": "call_1", "name": "find_order", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "error: none"},
    ]
)
QUERIES = [
    "",
    "channel:web",
    "plan:team channel:*",
    "plan:team OR plan:free",
    "-channel:web",
    "items>=2",
    "@type:message",
]


def report(text: str, period: Period, *, zone: str = "UTC", owner=None, seconds: float = 600) -> FilteredReport:
    conversations = Conversation.objects.all() if owner is None else Conversation.objects.filter(owner=owner.pk)
    return FilteredReport(conversations, parse_query(text), period=period, zone=ZoneInfo(zone), seconds=seconds)


def today() -> Period:
    return Period.of_days(1, last=timezone.now().date())


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_figures_equal_those_of_the_rows(db, zone):
    for _ in seed_conversations(conversations=400, items_per=2, seed=1, start=timezone.localdate()):
        pass
    period = Period.of_days(40, last=timezone.now().astimezone(ZoneInfo(zone)).date())
    owner = User.objects.get(username="seed-0001")  # has most of them
    for text, of_owner in [*((text, None) for text in QUERIES), ("", owner), ("channel:web", owner)]:
        rows = Conversation.objects.matching(text)
        rows = rows.filter(owner=of_owner) if of_owner else rows
        days = [row.created_at.astimezone(ZoneInfo(zone)).date() for row in rows]
        counted = report(text, period, zone=zone, owner=of_owner)
        by_day = counted.by_day(FigureKind.CONVERSATIONS, period)
        assert by_day == {day: days.count(day) for day in period.days}, text
        before = counted.by_day(FigureKind.CONVERSATIONS, period.previous)
        assert sum(before.values()) == sum(day in period.previous.days for day in days), text
        items = Item.objects.filter(conversation__in=rows.values("pk"))
        item_days = [moment.astimezone(ZoneInfo(zone)).date() for moment in items.values_list("created_at", flat=True)]
        assert counted.by_day(FigureKind.ITEMS, period) == {day: item_days.count(day) for day in period.days}, text
        assert sum(by_day.values()) > 0, text


def test_tools_and_failures_are_those_of_the_matches(alice, bob):
    for owner in (alice, bob):
        Conversation.objects.create_with_items(owner=owner, metadata={"tenant": owner.username}, items=ITEMS)
    counted = report("tenant:bob", today())
    assert counted.tools(today(), 5) == [ToolFigures("find_order", 1, 1)]
    assert counted.item_types(today()) == [(item["type"], 1) for item in sorted(ITEMS, key=lambda item: item["type"])]
    assert counted.conversation_count == 1


def test_items_of_an_old_conversation_count_on_their_day(alice):
    create_conversations(alice, {40: 1}, metadata={"tenant": "acme"})
    Conversation.objects.get().add_items(items=ITEMS)
    counted = report("tenant:acme", today())
    assert counted.by_day(FigureKind.ITEMS, today()) == {today().first: 3}
    assert counted.conversation_count == 0


def test_comparison_leaves_out_the_days_that_are_not_over(alice):
    create_conversations(alice, {0: 1, 1: 4, 2: 2, 3: 7, 4: 2, 5: 1}, metadata={"tenant": "acme"})
    period = Period.of_days(3, last=timezone.now().date())
    counted = report("tenant:acme", period)
    figures = [counted.by_day(FigureKind.CONVERSATIONS, each) for each in (period, period.previous)]
    comparison = Comparison.of_days(*figures, today=counted.today)
    assert comparison == Comparison(previous_total=10, complete=6, previous_complete=3)
    assert comparison.change == 100
    earlier = Period.of_days(2, last=timezone.now().date() - timedelta(days=1))
    counted = report("tenant:acme", earlier)
    figures = [counted.by_day(FigureKind.CONVERSATIONS, each) for each in (earlier, earlier.previous)]
    assert Comparison.of_days(*figures, today=counted.today) == Comparison(9, 6, 9)


def test_items_of_too_many_conversations_are_not_counted(alice, monkeypatch):
    create_conversations(alice, {0: 4}, metadata={"tenant": "acme"}, items=ITEMS)
    monkeypatch.setattr(filtered, "BATCH", 2)
    monkeypatch.setattr(filtered, "MAX_CONVERSATIONS", 4)
    assert report("tenant:acme", today()).by_day(FigureKind.ITEMS, today()) == {today().first: 12}
    create_conversations(alice, {0: 1}, metadata={"tenant": "acme"}, items=ITEMS)
    counted = report("tenant:acme", today())
    assert (counted.has_conversations, counted.has_items) == (True, False)
    assert counted.by_day(FigureKind.CONVERSATIONS, today()) == {today().first: 5}
    assert counted.tools(today(), 5) == []


def test_counting_stops_after_its_time(alice):
    create_conversations(alice, {0: 4}, metadata={"tenant": "acme"}, items=ITEMS)
    counted = report("tenant:acme", today(), seconds=0)
    assert (counted.has_conversations, counted.has_items) == (False, False)


@pytest.mark.parametrize("text", ["channel:web", ""])
def test_each_day_is_counted_in_a_range_of_one_index(transactional_db, text):
    for _ in seed_conversations(conversations=3_000, items_per=0, seed=1, start=timezone.localdate()):
        pass
    analyze()
    period = Period.of_days(3, last=timezone.now().date())
    with capture_statements() as statements:
        report(text, period, owner=None if text else Conversation.objects.latest("pk").owner)
    counts = [each for each in statements if "COUNT" in each[0] and "GROUP BY" not in each[0]]
    assert len(counts) == 6  # three days, two parts of the previous period, and all time
    for sql, parameters in counts:
        plan = plan_steps(sql, parameters)
        assert not any(step.startswith("scan of") for step in plan), (sql, plan)
