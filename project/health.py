"""Answers for load balancers and container runtimes: whether this process runs, and whether it can do its work.

They need no key, tell nothing about the service but the names of the checks that failed, and do not depend on the
request, so that they may answer for any host: a load balancer sends an address instead of a name in ALLOWED_HOSTS.
"""

import os
import pkgutil
import time
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.log import log_response

LIVE_URL, READY_URL = "/healthz", "/readyz"
LIVE_BODY = b'{"status": "ok"}'
MAX_AGE = 1  # second for which an answer is repeated, so that frequent requests do not load the database
WRITTEN_BYTES = 16 * 1024  # written to each folder, more than most file systems keep in an inode


class _Readiness:
    """The checks of this process, which one thread at a time executes."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._checked_at = -float(MAX_AGE)
        self._errors: dict[str, str] = {}

    def errors(self) -> dict[str, str]:
        """Return the failed checks with the reasons. A check that takes longer than `MAX_AGE` has not answered."""
        if not self._lock.acquire(timeout=MAX_AGE):
            return {"database": "another check is still waiting for an answer"}
        try:
            if self._checked_at + MAX_AGE <= time.monotonic():
                self._errors = dict(_failures())
                self._checked_at = time.monotonic()
            return self._errors
        finally:
            self._lock.release()


_readiness = _Readiness()


def live(request: HttpRequest) -> HttpResponse:
    """Answer that the process runs. A restart would not help a database that is down, so it is not asked."""
    return HttpResponse(LIVE_BODY, content_type="application/json")


def ready(request: HttpRequest) -> HttpResponse:
    """Answer 200 if the service can answer requests, or 503 with the checks that failed. The log has the reasons."""
    errors = _readiness.errors()
    checks = {name: "failed" if name in errors else "ok" for name, _ in CHECKS}
    response = JsonResponse({"status": "failed" if errors else "ok", "checks": checks}, status=503 if errors else 200)
    if errors:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in errors.items())
        log_response("Not ready: %s", reasons, response=response, request=request, level="warning")
    return response


def _failures() -> Iterator[tuple[str, str]]:
    for name, check in CHECKS:
        try:
            check()
        except Exception as error:  # whatever it is, the service is not ready
            yield name, " ".join(f"{error}".split()) or type(error).__name__


def check_database() -> None:
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute("SELECT 1")


def check_migrations() -> None:
    applied = MigrationRecorder(connections[DEFAULT_DB_ALIAS]).migration_qs.values_list("app", "name")
    if missing := known_migrations() - set(applied):
        names = ", ".join(sorted(".".join(each) for each in missing))
        raise RuntimeError(f"the database lacks the migrations {names}")


@cache
def known_migrations() -> frozenset[tuple[str, str]]:
    """Return the migrations of the installed apps by their files. Django would import them, and keep them in memory."""
    names = set()
    for app in apps.get_app_configs():
        path, _ = MigrationLoader.migrations_module(app.label)
        try:
            package = import_module(path or "")
        except (ModuleNotFoundError, ValueError):  # The app has no migrations.
            continue
        names |= {(app.label, each.name) for each in pkgutil.iter_modules(package.__path__) if each.name[0] not in "_~"}
    return frozenset(names)


def check_disk() -> None:
    """Write to the folders that the service stores files in, and raise an `OSError` if one of them is full."""
    for folder in _folders():
        with TemporaryFile(dir=folder) as file:
            file.write(bytes(WRITTEN_BYTES))
            file.flush()  # A write of the operating system may succeed with less than it was given.
    connection: Any = connections[DEFAULT_DB_ALIAS]
    if connection.vendor == "sqlite" and not connection.is_in_memory_db():
        database = connection.settings_dict["NAME"]
        if not os.access(database, os.W_OK):
            raise PermissionError(f"{database} is read-only")


def _folders() -> Iterator[Path]:
    connection: Any = connections[DEFAULT_DB_ALIAS]
    if connection.vendor == "sqlite" and not connection.is_in_memory_db():
        yield Path(connection.settings_dict["NAME"]).absolute().parent
    location = Path(str(settings.CACHES["default"].get("LOCATION") or ""))
    if location.is_absolute() and location.is_dir():  # Nothing creates it before something is cached.
        yield location


CHECKS: list[tuple[str, Callable[[], None]]] = [
    ("database", check_database),
    ("migrations", check_migrations),
    ("disk", check_disk),
]
