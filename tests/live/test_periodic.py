"""The periodic work of services that share a database, and of processes that are killed in the middle of it."""

import os
import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from conversations.models import AccessRecord, Conversation, Overview, PeriodicTask, RetentionRule
from conversations.models.periodic_task import LEASE
from tests.live.service import ROOT, Service, clean_environment, manage
from tests.waiting import wait_until

# The task blocks in the middle of its work.
ENDLESS = """
import time
from datetime import timedelta

import django

django.setup()
from conversations.management.periodic import Task, run_due_tasks

def run():
    yield
    print("working", flush=True)
    time.sleep(100_000)

print(run_due_tasks([Task("purge", run, timedelta(hours=1))]), flush=True)
"""


def count_runs(services: list[Service]) -> int:
    return sum(service.stderr.count("The periodic task refresh_overview took") for service in services)


@pytest.mark.slow
def test_services_that_share_a_database_refresh_the_overview_once(database, tmp_path):
    services = [Service(database, tmp_path, LOG_LEVEL="INFO") for _ in range(2)]
    try:
        for service in services:
            service.launch("--workers", "1", is_periodic=True)
        for service in services:
            service.wait_until_started()
        wait_until(lambda: count_runs(services) > 0)
        with database.open() as alias:
            rows = PeriodicTask.objects.using(alias)
            wait_until(lambda: rows.filter(pk="purge", leased_until=None, due_at__gt=timezone.now()).exists())
            assert Overview.objects.using(alias).current() is not None
            assert count_runs(services) == 1
            rows.filter(pk="refresh_overview").update(due_at=timezone.now())
            wait_until(lambda: count_runs(services) == 2)
            assert not rows.exclude(leased_until=None).exists()
        for service in services:
            service.interrupt()
            assert service.wait() == 0
            assert "ERROR" not in service.stderr
    finally:
        for service in services:
            service.kill()


@pytest.mark.slow
def test_rule_that_is_due_is_run_by_one_of_the_services_and_by_none_without_periodic_work(database, tmp_path):
    services = [Service(database, tmp_path, LOG_LEVEL="INFO") for _ in range(3)]
    *periodic, other = services
    try:
        other.start("--workers", "1")
        with database.open() as alias:
            owner = get_user_model().objects.using(alias).get()
            old = f"conv_{1_500_000_000:08x}{0:040x}"  # An id has the time of the conversation.
            for pk in (None, old):
                Conversation.objects.using(alias).create_with_items(owner=owner, conversation_id=pk)
            RetentionRule.objects.using(alias).create(name="a year", days=365, is_enabled=True)
            assert len(other.workers) == 1
            PeriodicTask.objects.using(alias).create(name="retention")
            for service in periodic:
                service.launch("--workers", "1", is_periodic=True)
            for service in periodic:
                service.wait_until_started()
            task = PeriodicTask.objects.using(alias).filter(pk="retention", leased_until=None)
            entries = AccessRecord.objects.using(alias).filter(action=AccessRecord.Action.RETENTION).order_by("pk")
            for runs in (1, 2):
                wait_until(task.filter(due_at__gt=timezone.now()).exists)
                assert list(entries.values_list("conversation_count", flat=True)) == [1, 0][:runs]
                task.update(due_at=timezone.now())
            wait_until(lambda: task.filter(due_at__gt=timezone.now()).exists())
            assert entries.count() == 3
            assert not Conversation.objects.using(alias).filter(pk=old).exists()
            assert Conversation.objects.using(alias).count() == 1
        for service in services:
            service.interrupt()
            assert service.wait() == 0
        ran = ["The periodic task" in service.stderr for service in services]
        assert (any(ran[:2]), ran[2]) == (True, False)
    finally:
        for service in services:
            service.kill()


@pytest.mark.slow
def test_killed_process_of_the_periodic_work_is_replaced_and_the_workers_serve_on(service):
    service.start("--workers", "1", is_periodic=True)
    wait_until(lambda: len(service.workers) == 2)
    first, second = service.workers
    os.kill(max(first, second), signal.SIGKILL)  # The process of the periodic work is started last.
    wait_until(lambda: "The periodic work's process" in service.stderr)
    wait_until(lambda: len(service.workers) == 2)
    assert min(first, second) in service.workers
    service.interrupt()
    assert service.wait() == 0


@pytest.mark.slow
def test_task_of_a_killed_process_is_not_done_twice_and_goes_on_after_its_lease(database):
    variables = {**database.variables, "SECRET_KEY": "x", "DJANGO_SETTINGS_MODULE": "project.settings"}
    assert manage("migrate", **variables).returncode == 0
    command = [sys.executable, "-c", ENDLESS]
    options = {"cwd": ROOT, "env": clean_environment(**variables), "text": True, "stdout": subprocess.PIPE}
    process = subprocess.Popen(command, **options)
    try:
        assert process.stdout.readline() == "working\n"
        assert subprocess.run(command, **options).stdout == "[]\n"
    finally:
        process.kill()
        process.communicate()
    assert subprocess.run(command, **options).stdout == "[]\n"
    with database.open() as alias:
        row = PeriodicTask.objects.using(alias).get(pk="purge")
        assert timezone.now() < row.leased_until <= timezone.now() + LEASE
        row.leased_until -= LEASE + timedelta(seconds=1)  # as if this time had passed
        row.save()
    run = manage("run_periodic_tasks", **variables)
    assert run.returncode == 0, run.stderr
    assert "purge" in run.stdout
