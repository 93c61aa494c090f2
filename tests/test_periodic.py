import logging
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from conversations.management.periodic import RETRY, TASKS, Task, run_due_tasks
from conversations.models import Conversation, DeletedConversation, Overview, PeriodicTask, RequestRecord
from conversations.models.periodic_task import LEASE
from conversations.trash import move_to_trash

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def runs():
    """The names of the tasks that ran, one after the other."""
    return []


@pytest.fixture
def make_task(runs):
    def make(name="work", *, error=None):
        def run():
            runs.append(name)
            yield
            if error:
                raise error

        return Task(name, run, HOUR)

    return make


def make_due(**changes):
    PeriodicTask.objects.update(due_at=timezone.now() - timedelta(seconds=1), **changes)


def test_task_runs_when_it_is_due_and_not_again_before(make_task, runs):
    assert run_due_tasks([make_task()]) == ["work"]
    assert run_due_tasks([make_task()]) == []
    make_due()
    assert run_due_tasks([make_task()]) == ["work"]
    assert runs == ["work"] * 2
    row = PeriodicTask.objects.get()
    assert (row.leased_until, row.token) == (None, "")
    assert row.due_at > timezone.now() + HOUR / 2


def test_task_that_another_process_runs_is_left_to_it_until_its_lease_is_over(make_task, runs):
    run_due_tasks([make_task()])
    make_due(leased_until=timezone.now() + LEASE, token="other")
    assert run_due_tasks([make_task()]) == []
    make_due(leased_until=timezone.now())
    assert run_due_tasks([make_task()]) == ["work"]
    assert len(runs) == 2


def test_task_whose_lease_another_process_took_over_stops_and_leaves_the_row_to_it(make_task, monkeypatch):
    monkeypatch.setattr("conversations.management.periodic.RENEW_SECONDS", -1)
    steps = []

    def run():
        for number in range(3):
            steps.append(number)
            PeriodicTask.objects.update(token="other")
            yield

    run_due_tasks([Task("work", run, HOUR)])
    assert steps == [0]
    assert PeriodicTask.objects.get().token == "other"


def test_failure_is_logged_and_other_tasks_run(make_task, runs, caplog):
    tasks = [make_task("bad", error=OSError("the disk is full")), make_task("good")]
    assert run_due_tasks(tasks) == ["bad", "good"]
    assert runs == ["bad", "good"]
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == f"The periodic task bad failed. It will be tried again in {RETRY}."
    assert record.exc_info
    row = PeriodicTask.objects.get(pk="bad")
    assert row.leased_until is None
    assert timezone.now() < row.due_at <= timezone.now() + RETRY


def test_interrupted_task_is_due_at_once(make_task, runs):
    with pytest.raises(SystemExit):
        run_due_tasks([make_task(error=SystemExit())])
    assert run_due_tasks([make_task()]) == ["work"]


def test_nightly_task_is_due_at_the_next_night(settings):
    settings.TIME_ZONE = "Asia/Tokyo"  # nine hours ahead of UTC
    task = Task("work", list)
    evening, night = datetime(2026, 1, 1, 12, tzinfo=UTC), datetime(2026, 1, 1, 18, tzinfo=UTC)
    with timezone.override("Asia/Tokyo"):
        assert task.next_due(evening) == night
        assert task.next_due(night) == night + timedelta(days=1)


def test_tasks_refresh_the_overview_and_purge_the_trash_and_old_records(alice, settings):
    settings.CONVERSATIONS_RESTORE_DAYS = 1
    move_to_trash(Conversation.objects.create_with_items(owner=alice))
    DeletedConversation.objects.update(deleted_at=timezone.now() - timedelta(days=2))
    RequestRecord.objects.create(key="k", number=0, fingerprint="f")
    RequestRecord.objects.update(created_at=timezone.now() - timedelta(days=2))
    assert Overview.objects.current() is None
    call_command("run_periodic_tasks")
    assert Overview.objects.current() is not None
    assert not DeletedConversation.objects.exists()
    assert not RequestRecord.objects.exists()
    assert set(PeriodicTask.objects.values_list("name", flat=True)) == {task.name for task in TASKS}
    PeriodicTask.objects.filter(pk="rebuild_overview").update(due_at=timezone.now())
    first = Overview.objects.current()
    assert run_due_tasks() == ["rebuild_overview"]
    assert Overview.objects.current() != first
