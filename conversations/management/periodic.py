"""The periodic work: tasks that one process at a time runs when they are due, however many share the database.

A process that runs a task has a lease of its row, and renews it while it works. The lease ends by itself if the process
is killed, so that another one goes on; all tasks can be interrupted anywhere and run again. A row instead of a lock of
the database works on every engine and through connection poolers, and holds no transaction open.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import chain

from django.db import router
from django.utils import timezone

from conversations.deletion import purge_trash
from conversations.idempotency import purge_records
from conversations.models import PeriodicTask, PeriodicTaskQuerySet
from conversations.models.periodic_task import LEASE
from conversations.overview.rollup import refresh
from conversations.retention.rules import run_rules

NIGHT_HOUR = 3  # in TIME_ZONE
RETRY = timedelta(minutes=5)  # after a failure
RENEW_SECONDS = LEASE.total_seconds() / 5

logger = logging.getLogger("conversations.periodic")


@dataclass(frozen=True)
class Task:
    """A task, which yields after each short step."""

    name: str
    run: Callable[[], Iterable[object]]
    interval: timedelta | None = None  # None: once a night

    def next_due(self, now: datetime) -> datetime:
        if self.interval:
            return now + self.interval
        local = timezone.localtime(now)
        night = local.replace(hour=NIGHT_HOUR, minute=0, second=0, microsecond=0)
        return night if night > local else night + timedelta(days=1)


def _purge() -> Iterator[object]:
    return chain(purge_trash(purged_by="periodic task: purge"), purge_records())


TASKS = [
    Task("refresh_overview", refresh, timedelta(minutes=5)),
    Task("rebuild_overview", partial(refresh, rebuild=True)),
    Task("purge", _purge, timedelta(hours=1)),
    Task("retention", run_rules),
]


def run_due_tasks(tasks: Iterable[Task] = TASKS) -> list[str]:
    """Run the tasks that are due and that no other process runs. Return their names.

    A failure of a task is logged, and the task is tried again after `RETRY`.
    """
    rows = PeriodicTask.objects.using(router.db_for_write(PeriodicTask))
    now = timezone.now()
    stored = set(rows.values_list("pk", flat=True))
    new = [
        PeriodicTask(name=task.name, due_at=now if task.interval else task.next_due(now))
        for task in tasks
        if task.name not in stored
    ]
    if new:
        rows.bulk_create(new, ignore_conflicts=True)
    names = []
    for task in tasks:
        if token := rows.claim(task.name):
            names.append(task.name)
            _run(task, token=token, rows=rows)
    return names


def _run(task: Task, *, token: str, rows: PeriodicTaskQuerySet) -> None:
    started_at = renewed_at = time.monotonic()
    try:
        for _ in task.run():
            if renewed_at + RENEW_SECONDS < time.monotonic():
                renewed_at = time.monotonic()
                if not rows.renew(task.name, token=token):
                    logger.warning(
                        "The periodic task %s took a break of %s. Another process goes on.", task.name, LEASE
                    )
                    return
    except Exception:
        logger.exception("The periodic task %s failed. It will be tried again in %s.", task.name, RETRY)
        rows.release(task.name, token=token, due_at=timezone.now() + RETRY)
    except BaseException:  # The process is stopped.
        rows.release(task.name, token=token)
        raise
    else:
        rows.release(task.name, token=token, due_at=task.next_due(timezone.now()))
        logger.info("The periodic task %s took %.1f s.", task.name, time.monotonic() - started_at)
