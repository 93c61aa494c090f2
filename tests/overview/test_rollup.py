from datetime import datetime, timedelta
from io import StringIO
from random import Random
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from conversations import ids
from conversations.deletion import delete_conversation
from conversations.models import Conversation, Item, Overview, OverviewFigure
from conversations.models.overview import MAX_VALUES
from conversations.overview.period import Period
from conversations.overview.report import MAX_NEW_CONVERSATIONS, FigureKind, OverviewReport, ToolFigures
from conversations.overview.rollup import refresh
from conversations.retention.redaction import redact_item
from conversations.schema.items import validate_items
from tests.overview.plain_counts import plain_counts, report_counts
from tests.plans import analyze, capture_statements, plan_steps
from tests.seed import seed_conversations

ITEMS = validate_items([{"role": "user", "content": "hi"}, {"type": "reasoning", "id": "rs_1", "summary": []}])
CALL = {"type": "function_call", "call_id": "call_1", "name": "find_order", "arguments": "{}"}
CALLS = validate_items(
    [
        CALL,
        {"type": "function_call_output", "call_id": "call_1", "output": "Traceback (most recent call last):"},
        {**CALL, "call_id": "call_2"},
        {"type": "function_call_output", "call_id": "call_2", "output": "found"},
        {"type": "function_call_output", "call_id": "call_0", "output": "error: nobody called"},
        {
            "type": "mcp_call",
            "id": "mcp_1",
            "name": "search",
            "server_label": "s",
            "arguments": "{}",
            "status": "failed",
        },
    ]
)


def seed(number: int, *, days_ago: int = 0, seed: int = 1) -> None:
    start = timezone.localdate() - timedelta(days=days_ago)
    for _ in seed_conversations(conversations=number, items_per=2, seed=seed, start=start):
        pass


def run(*arguments: str, stderr: StringIO | None = None) -> str:
    stdout = StringIO()
    call_command("refresh_overview", *arguments, stdout=stdout, stderr=stderr)
    return stdout.getvalue()


def without_hidden_values(counts):
    """Return the counts without the values of keys that have too many values to be shown."""
    hidden = [key for key in counts["keys"] if sum(key == name for name, _ in counts["values"]) > MAX_VALUES]
    values = {name: count for name, count in counts["values"].items() if name[0] not in hidden}
    assert "order_id" in hidden
    assert values
    return {**counts, "values": values}


@pytest.mark.parametrize("time_zone", ["UTC", "America/New_York", "Pacific/Auckland"])
def test_figures_include_rows_added_after_the_refresh(alice, settings, time_zone):
    settings.TIME_ZONE = time_zone
    seed(300)
    run()
    assert report_counts() == without_hidden_values(plain_counts(time_zone))
    for number in range(5):
        Conversation.objects.create_with_items(
            owner=alice, metadata={"topic": f"demo {number % 2}", "plan": "team"}, items=ITEMS[:1]
        )
    Conversation.objects.earliest("pk").add_items(items=ITEMS)
    assert report_counts() == without_hidden_values(plain_counts(time_zone))
    run()
    assert report_counts() == without_hidden_values(plain_counts(time_zone))


def test_calls_and_failures_are_counted_by_the_tool_of_the_call(alice):
    conversation = Conversation.objects.create_with_items(owner=alice, items=CALLS)
    for _ in range(2):
        report = OverviewReport()
        today = Period.of_days(1, last=report.today)
        assert report.tools(today, 5) == [ToolFigures("find_order", 2, 1), ToolFigures("search", 1, 1)]
        assert report.daily(FigureKind.FAILED, today, "value") == {"function_call_output": 2, "mcp_call": 1}
        QuerySet(Item).filter(conversation=conversation).update(created_at=timezone.now() - timedelta(minutes=2))
        run()


def test_call_far_before_its_output_is_not_looked_for(alice):
    items = validate_items([CALL, *[{"role": "user", "content": "wait"}] * 100, CALLS[1]], max_items=None)
    Conversation.objects.create_with_items(owner=alice, items=items)
    report = OverviewReport()
    assert report.tools(Period.of_days(1, last=report.today), 5) == [ToolFigures("find_order", 1, 0)]
    assert report_counts() == plain_counts("UTC")


def test_large_conversation_of_this_moment_is_counted_at_once(alice):
    seed(20)
    run()
    Conversation.objects.create_with_items(owner=alice, items=ITEMS[:1] * 5_000)
    report = OverviewReport()
    assert report.is_up_to_date
    assert report.by_day(FigureKind.ITEMS, Period.of_days(1, last=report.today))[report.today] >= 5_000
    assert report.total(FigureKind.ITEMS) == Item.objects.count()


@pytest.mark.parametrize("is_counted", [True, False])
def test_redacted_item_counts_under_its_new_type_at_once(alice, is_counted):
    seed(20)
    conversation = Conversation.objects.create_with_items(owner=alice, items=CALLS)
    QuerySet(Item).filter(conversation=conversation).update(created_at=timezone.now() - timedelta(days=1))
    if is_counted:
        run()
        assert Overview.objects.get().last_item == Item.objects.latest("pk").pk
        next(refresh(rebuild=True, batch_size=7))
    for position in (2, 6):
        redact_item(conversation, conversation.items.get(position=position).item_id, reason="card", redacted_by=alice)
    assert report_counts() == plain_counts("UTC")
    run("--rebuild")
    assert report_counts() == plain_counts("UTC")


def test_small_database_is_counted_on_the_fly_before_the_first_refresh(db):
    seed(200)
    assert report_counts() == without_hidden_values(plain_counts("UTC"))
    assert OverviewReport().sizes() == []


def test_deletions_and_changes_are_counted_after_a_rebuild(alice):
    seed(200)
    run()
    random = Random(1)
    rows = list(Conversation.objects.all())
    for conversation in random.sample(rows, 50):
        delete_conversation(conversation)
    for conversation in random.sample(list(Conversation.objects.filter(item_count__gt=0)), 20):
        conversation.delete_item(item_id=conversation.items.first().item_id)
    for conversation in random.sample(list(Conversation.objects.all()), 20):
        conversation.replace_metadata(metadata={"topic": "changed"})
    run()
    assert sum(report_counts()["days"].values()) == 200
    run("--rebuild")
    assert report_counts() == without_hidden_values(plain_counts("UTC"))
    assert Overview.objects.count() == 1


def test_imported_older_conversations_are_counted_after_a_rebuild(db):
    seed(100)
    run()
    seed(100, days_ago=10, seed=2)
    run()
    assert OverviewReport().total(FigureKind.ITEMS) == Item.objects.count()
    run("--rebuild")
    assert report_counts() == without_hidden_values(plain_counts("UTC"))


def test_second_run_neither_counts_nor_reads_rows_again(db):
    seed(100)
    assert run() == f"Counted 100 conversations and {Item.objects.count()} items.\n"
    before = report_counts()
    with capture_statements() as statements:
        assert run() == "Counted 0 conversations and 0 items.\n"
    assert report_counts() == before
    overview = Overview.objects.get()
    tables = [f"FROM {model._meta.db_table} WHERE" for model in (Conversation, Item)]
    reading = [
        (sql, parameters)
        for sql, parameters in statements
        if any(table in sql.replace('"', "").replace("`", "") for table in tables)
    ]
    assert len(reading) == 4
    for sql, parameters in reading:
        assert overview.last_conversation_id in parameters or overview.last_item in parameters, sql


def test_new_rows_are_found_by_index(transactional_db):
    seed(300 if connection.vendor == "sqlite" else 3_000)  # SQLite's plans do not depend on the number of rows.
    analyze()
    run()
    with capture_statements() as statements:
        OverviewReport()
    plans = [plan_steps(*statement) for statement in statements]
    assert any("pk of Conversation" in plan for plan in plans)
    forbidden = {"scan of Conversation", "scan of Item"}
    for (sql, _parameters), plan in zip(statements[1:], plans[1:], strict=True):
        # Only the new items are sorted, to group them.
        assert not plan & (forbidden if "GROUP BY" in sql else {*forbidden, "sort"}), (sql, plan)


def test_concurrent_runs_count_every_row_once(db):
    seed(60)
    runs = [refresh(batch_size=7), refresh(batch_size=11)]
    while runs:
        for run_in_progress in list(runs):
            if next(run_in_progress, None) is None:
                runs.remove(run_in_progress)
    assert report_counts() == without_hidden_values(plain_counts("UTC"))
    assert Overview.objects.count() == 1


def test_interrupted_run_is_resumed(db):
    seed(60)
    broken = refresh(batch_size=10)
    next(broken)
    broken.close()
    assert Overview.objects.current() is None
    assert run() == f"Counted 50 conversations and {Item.objects.count()} items.\n"
    assert report_counts() == without_hidden_values(plain_counts("UTC"))


def test_old_figures_are_shown_until_a_rebuild_is_complete(db):
    seed(60)
    run()
    before = report_counts()
    rebuild = refresh(rebuild=True, batch_size=10)
    next(rebuild)
    assert report_counts() == before
    run()
    for _ in rebuild:
        pass
    assert report_counts() == before
    assert Overview.objects.count() == 1


def test_rebuild_ends_when_overtaken_by_another_rebuild(db):
    seed(60)
    slow = refresh(rebuild=True, batch_size=10)
    next(slow)
    run("--rebuild")
    for _ in slow:
        pass
    assert report_counts() == without_hidden_values(plain_counts("UTC"))


def test_changed_time_zone_recounts_the_days(db, settings):
    seed(100)
    run()
    settings.TIME_ZONE = "Asia/Tokyo"
    assert OverviewReport().overview.time_zone == "UTC"
    run()
    assert OverviewReport().overview.time_zone == "Asia/Tokyo"
    assert report_counts() == without_hidden_values(plain_counts("Asia/Tokyo"))


def test_most_recent_rows_are_left_for_the_next_run(alice):
    Conversation.objects.create_with_items(owner=alice, items=ITEMS)
    assert run() == "Counted 0 conversations and 0 items.\n"
    assert report_counts() == plain_counts("UTC")


def test_item_with_a_future_time_does_not_block_the_refresh(alice):
    seed(20)
    conversation = Conversation.objects.latest("pk")
    row = conversation.add_items(items=ITEMS)[0]
    QuerySet(Item).filter(pk=row.pk).update(created_at=timezone.now() + timedelta(days=9))
    QuerySet(Item).filter(item_id="rs_1").update(created_at=timezone.now() - timedelta(days=1))
    assert run() == f"Counted 20 conversations and {Item.objects.count()} items.\n"


@pytest.mark.parametrize("conversation_id", ["conv_older", "conv_ZZZZZZZZ"])
def test_conversation_whose_id_encodes_no_time_is_counted_without_a_day(alice, conversation_id):
    Conversation.objects.create(pk=conversation_id, owner=alice, created_at=timezone.now(), metadata={"topic": "demo"})
    report = OverviewReport()
    assert report.total(FigureKind.CONVERSATIONS) == 1
    assert not any(report.by_day(FigureKind.CONVERSATIONS, Period.of_days(90, last=report.today)).values())
    assert report.top(FigureKind.KEY, 5) == [("topic", 1)]


def test_a_day_begins_at_midnight_of_the_time_zone(alice, settings):
    settings.TIME_ZONE = "America/New_York"
    zone = ZoneInfo(settings.TIME_ZONE)
    midnight = int(datetime(2026, 3, 9, tzinfo=zone).timestamp())  # The day before has 23 hours.
    for second in (midnight - 23 * 3600 - 1, midnight - 23 * 3600, midnight - 1, midnight):
        Conversation.objects.create(
            pk=ids.compose_id(ids.CONVERSATION_PREFIX, nanoseconds=second * 10**9, bits=1),
            owner=alice,
            created_at=timezone.now(),
        )
    run()
    days = OverviewFigure.objects.filter(kind=FigureKind.CONVERSATIONS).order_by("key").values_list("key", "count")
    assert list(days) == [("2026-03-07", 1), ("2026-03-08", 2), ("2026-03-09", 1)]


@pytest.mark.parametrize("metadata", [["a"], {"a": 1}, {"a" * 65: "b"}, {"a": "b" * 513}])
def test_invalid_metadata_is_not_counted(alice, metadata):
    QuerySet(Conversation).filter(pk=Conversation.objects.create_with_items(owner=alice).pk).update(metadata=metadata)
    assert OverviewReport().top(FigureKind.KEY, 5) == []


def test_report_reads_a_limited_number_of_new_rows_and_is_marked_incomplete(alice):
    now = timezone.now()
    rows = [Conversation(owner=alice, created_at=now) for _ in range(MAX_NEW_CONVERSATIONS + 50)]
    Conversation.objects.bulk_create(rows, batch_size=1_000)
    report = OverviewReport()
    assert not report.is_up_to_date
    assert report.total(FigureKind.CONVERSATIONS) == MAX_NEW_CONVERSATIONS + 1


def test_storage_is_reported_per_table(db):
    seed(20)
    run()
    sizes = {(table, part): size for table, part, size in OverviewReport().sizes()}
    if connection.vendor == "sqlite":
        [((table, _part), size)] = sizes.items()
        assert table == ""
    else:
        size = sizes[Conversation._meta.db_table, "table"]
        assert {table for table, _part in sizes} >= {Conversation._meta.db_table, Item._meta.db_table}
        assert {part for _table, part in sizes} == {"table", "indexes"}
    assert size > 4096


@pytest.mark.parametrize(("is_terminal", "progress"), [(True, "20 of 20 conversations, "), (False, "")])
def test_progress_is_shown_only_on_a_terminal(db, is_terminal, progress):
    stderr = StringIO()
    stderr.isatty = lambda: is_terminal
    seed(20)
    run(stderr=stderr)
    assert stderr.getvalue().endswith("\n") is is_terminal
    assert progress in stderr.getvalue()
