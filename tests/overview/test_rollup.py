from datetime import datetime, timedelta
from io import StringIO
from random import Random
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from conversations import ids
from conversations.models import Conversation, Item, Overview, OverviewFigure
from conversations.models.overview import MAX_VALUES
from conversations.overview.report import MAX_NEW, FigureKind, OverviewReport
from conversations.overview.rollup import refresh
from conversations.schema.items import validate_items
from tests.overview.plain_counts import plain_counts, surveyed
from tests.plans import analyze, captured, steps
from tests.seed import seed_conversations

ITEMS = validate_items([{"role": "user", "content": "hi"}, {"type": "reasoning", "id": "rs_1", "summary": []}])


def seed(number: int, *, days_ago: int = 0, seed: int = 1) -> None:
    start = timezone.localdate() - timedelta(days=days_ago)
    for _ in seed_conversations(conversations=number, items_per=2, seed=seed, start=start):
        pass


def run(*arguments: str, stderr: StringIO | None = None) -> str:
    stdout = StringIO()
    call_command("refresh_overview", *arguments, stdout=stdout, stderr=stderr)
    return stdout.getvalue()


def without_rare(counts):
    """Values are told of keys that have few."""
    many = [key for key in counts["keys"] if sum(key == name for name, _ in counts["values"]) > MAX_VALUES]
    values = {name: count for name, count in counts["values"].items() if name[0] not in many}
    assert "order_id" in many
    assert values
    return {**counts, "values": values}


@pytest.mark.parametrize("time_zone", ["UTC", "America/New_York", "Pacific/Auckland"])
def test_figures_equal_a_plain_count_with_what_came_after_it(alice, settings, time_zone):
    settings.TIME_ZONE = time_zone
    seed(300)
    run()
    assert surveyed() == without_rare(plain_counts(time_zone))
    for number in range(5):
        Conversation.create_with_items(
            owner=alice, metadata={"topic": f"demo {number % 2}", "plan": "team"}, items=ITEMS[:1]
        )
    Conversation.objects.earliest("pk").add_items(items=ITEMS)
    assert surveyed() == without_rare(plain_counts(time_zone))
    run()
    assert surveyed() == without_rare(plain_counts(time_zone))


def test_without_a_refresh_a_small_store_is_counted_as_it_is_looked_at(db):
    seed(200)
    assert surveyed() == without_rare(plain_counts("UTC"))
    assert OverviewReport().sizes() == []


def test_deletions_and_changes_show_after_a_rebuild(alice):
    seed(200)
    run()
    random = Random(1)
    rows = list(Conversation.objects.all())
    for conversation in random.sample(rows, 50):
        conversation.delete_with_items()
    for conversation in random.sample(list(Conversation.objects.filter(item_count__gt=0)), 20):
        conversation.delete_item(item_id=conversation.items.first().item_id)
    for conversation in random.sample(list(Conversation.objects.all()), 20):
        conversation.replace_metadata(metadata={"topic": "changed"})
    run()
    assert sum(surveyed()["days"].values()) == 200
    run("--rebuild")
    assert surveyed() == without_rare(plain_counts("UTC"))
    assert Overview.objects.count() == 1


def test_conversations_brought_in_with_earlier_times_show_after_a_rebuild(db):
    seed(100)
    run()
    seed(100, days_ago=10, seed=2)
    run()
    assert OverviewReport().total(FigureKind.ITEMS) == Item.objects.count()
    run("--rebuild")
    assert surveyed() == without_rare(plain_counts("UTC"))


def test_a_second_run_adds_nothing_and_reads_nothing_again(db):
    seed(100)
    assert run() == f"Counted 100 conversations and {Item.objects.count()} items.\n"
    before = surveyed()
    with captured() as statements:
        assert run() == "Counted 0 conversations and 0 items.\n"
    assert surveyed() == before
    place = Overview.objects.get()
    tables = [f"FROM {model._meta.db_table} WHERE" for model in (Conversation, Item)]
    reading = [
        (sql, parameters)
        for sql, parameters in statements
        if any(table in sql.replace('"', "").replace("`", "") for table in tables)
    ]
    assert len(reading) == 3
    for sql, parameters in reading:
        assert place.last_conversation_id in parameters or place.last_item in parameters, sql


def test_what_is_new_is_found_by_index(transactional_db):
    seed(3_000)
    analyze()
    run()
    with captured() as statements:
        OverviewReport()
    read = [steps(*statement) for statement in statements]
    assert any("pk of Conversation" in of_statement for of_statement in read)
    forbidden = {"scan of Conversation", "scan of Item", "sort"}
    assert not any(of_statement & forbidden for of_statement in read[1:]), read


def test_two_runs_at_once_count_everything_once(db):
    seed(60)
    runs = [refresh(batch_size=7), refresh(batch_size=11)]
    while runs:
        for each in list(runs):
            if next(each, None) is None:
                runs.remove(each)
    assert surveyed() == without_rare(plain_counts("UTC"))
    assert Overview.objects.count() == 1


def test_a_run_that_was_broken_off_is_taken_up(db):
    seed(60)
    broken = refresh(batch_size=10)
    next(broken)
    broken.close()
    assert Overview.objects.current() is None
    assert run() == f"Counted 50 conversations and {Item.objects.count()} items.\n"
    assert surveyed() == without_rare(plain_counts("UTC"))


def test_the_old_figures_are_shown_until_a_rebuild_is_done(db):
    seed(60)
    run()
    before = surveyed()
    rebuild = refresh(rebuild=True, batch_size=10)
    next(rebuild)
    assert surveyed() == before
    run()
    for _ in rebuild:
        pass
    assert surveyed() == before
    assert Overview.objects.count() == 1


def test_a_rebuild_that_another_one_overtakes_ends(db):
    seed(60)
    slow = refresh(rebuild=True, batch_size=10)
    next(slow)
    run("--rebuild")
    for _ in slow:
        pass
    assert surveyed() == without_rare(plain_counts("UTC"))


def test_another_time_zone_makes_other_days(db, settings):
    seed(100)
    run()
    settings.TIME_ZONE = "Asia/Tokyo"
    assert OverviewReport().overview.time_zone == "UTC"
    run()
    assert OverviewReport().overview.time_zone == "Asia/Tokyo"
    assert surveyed() == without_rare(plain_counts("Asia/Tokyo"))


def test_what_may_not_be_all_there_yet_is_left_for_the_next_run(alice):
    Conversation.create_with_items(owner=alice, items=ITEMS)
    assert run() == "Counted 0 conversations and 0 items.\n"
    assert surveyed() == plain_counts("UTC")


def test_an_item_of_the_future_holds_nothing_up(alice):
    seed(20)
    conversation = Conversation.objects.latest("pk")
    Item.objects.filter(pk=conversation.add_items(items=ITEMS)[0].pk).update(
        created_at=timezone.now() + timedelta(days=9)
    )
    Item.objects.filter(item_id="rs_1").update(created_at=timezone.now() - timedelta(days=1))
    assert run() == f"Counted 20 conversations and {Item.objects.count()} items.\n"


@pytest.mark.parametrize("conversation_id", ["conv_older", "conv_ZZZZZZZZ"])
def test_an_id_that_tells_no_time_is_of_no_day_but_counts(alice, conversation_id):
    Conversation.objects.create(pk=conversation_id, owner=alice, created_at=timezone.now(), metadata={"topic": "demo"})
    survey = OverviewReport()
    assert survey.total(FigureKind.CONVERSATIONS) == 1
    assert not any(survey.by_day(FigureKind.CONVERSATIONS, 90).values())
    assert survey.top(FigureKind.KEY, 5) == [("topic", 1)]


def test_a_day_begins_at_midnight_of_the_time_zone(alice, settings):
    settings.TIME_ZONE = "America/New_York"
    zone = ZoneInfo(settings.TIME_ZONE)
    midnight = int(datetime(2026, 3, 9, tzinfo=zone).timestamp())  # after a day of 23 hours
    for second in (midnight - 23 * 3600 - 1, midnight - 23 * 3600, midnight - 1, midnight):
        Conversation.objects.create(
            pk=ids.id_of(ids.CONVERSATION_PREFIX, nanoseconds=second * 10**9, bits=1),
            owner=alice,
            created_at=timezone.now(),
        )
    run()
    days = OverviewFigure.objects.filter(kind=FigureKind.CONVERSATIONS).order_by("key").values_list("key", "count")
    assert list(days) == [("2026-03-07", 1), ("2026-03-08", 2), ("2026-03-09", 1)]


@pytest.mark.parametrize("metadata", [["a"], {"a": 1}, {"a" * 65: "b"}, {"a": "b" * 513}])
def test_metadata_that_went_past_validation_is_not_counted(alice, metadata):
    Conversation.objects.filter(pk=Conversation.create_with_items(owner=alice).pk).update(metadata=metadata)
    assert OverviewReport().top(FigureKind.KEY, 5) == []


def test_a_page_reads_no_more_than_so_many_new_rows_and_says_so(alice):
    now = timezone.now()
    rows = [Conversation(owner=alice, created_at=now) for _ in range(MAX_NEW + 50)]
    Conversation.objects.bulk_create(rows, batch_size=1_000)
    survey = OverviewReport()
    assert not survey.is_up_to_date
    assert survey.total(FigureKind.CONVERSATIONS) == MAX_NEW + 1


def test_storage_is_told_by_table(db):
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


@pytest.mark.parametrize(("is_terminal", "shown"), [(True, "20 of 20 conversations, "), (False, "")])
def test_progress_is_shown_on_a_terminal_only(db, is_terminal, shown):
    stderr = StringIO()
    stderr.isatty = lambda: is_terminal
    seed(20)
    run(stderr=stderr)
    assert stderr.getvalue().endswith("\n") is is_terminal
    assert shown in stderr.getvalue()
