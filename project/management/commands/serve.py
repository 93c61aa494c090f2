import gc
import os
import secrets
import signal
import socket
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connections
from django.http.request import validate_host
from django.utils.module_loading import import_string
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import Server

from conversations.models import APIKey

THREADS = 4  # of a worker, which take turns in Python; a client that sends slowly keeps one to itself
REACHED_AT = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - where a host that means all is from here
ALLOCATIONS = 2_000  # that a worker makes between two collections of garbage, as some requests do
STOP_SECONDS = 30  # for requests in flight, and for a worker that was told to stop too early to notice
EXAMPLE = '{"metadata": {"topic": "demo"}, "items": [{"type": "message", "role": "user", "content": "Hello!"}]}'


class Command(BaseCommand):
    help = "Prepares the database, on a first start also an admin and an API key, and serves the API and the admin."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes; one a core if not given")
        parser.add_argument("--threads", type=int, default=THREADS, help=f"of each process, {THREADS} if not given")

    def handle(self, *, host: str, port: int, workers: int, threads: int, **options: Any) -> None:
        if workers < 1 or threads < 1:
            raise CommandError("There must be at least one worker, and one thread of it.")
        if not 1 <= port <= 65535:
            raise CommandError("The port must be one of 1 to 65535.")
        self._check_address(host, port)
        self._prepare_database()
        name = f"[{host}]" if ":" in host else host
        url = f"http://{REACHED_AT.get(name, name)}:{port}"
        self._create_first_secrets(url)
        if not validate_host(name, settings.ALLOWED_HOSTS):
            allowed = ", ".join(settings.ALLOWED_HOSTS)
            self.stderr.write(f"Requests for names other than {allowed} are refused: set ALLOWED_HOSTS.")
        self.stdout.write(f"Serving the API at {url}/v1 and the admin at {url}/admin/. Stop with Ctrl-C.")
        self.stdout.flush()
        connections.close_all()
        Server(
            "project.wsgi.application",
            address=host,
            port=port,
            interface=Interfaces.WSGI,
            workers=workers,
            blocking_threads=threads,
            respawn_failed_workers=True,
            workers_kill_timeout=STOP_SECONDS,
            log_level=LogLevels.warning,
        ).serve(target_loader=_load_application)

    def _check_address(self, host: str, port: int) -> None:
        try:
            family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            with socket.socket(family, kind) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
        except OSError as error:
            raise CommandError(f"Can't serve at {host}:{port}: {error}") from error

    def _prepare_database(self) -> None:
        if settings.DATABASES["default"]["NAME"] == ":memory:":
            raise CommandError("Can't use a database in memory: every worker would have its own, lost at its end.")
        try:
            call_command("migrate", verbosity=0, interactive=False)
        except DatabaseError as error:
            raise CommandError(f"Can't use the database: {' '.join(str(error).split())}") from error

    def _create_first_secrets(self, url: str) -> None:
        """Each is printed by the start that makes it, and never again."""
        admin = User.objects.filter(is_superuser=True).order_by("pk").first()
        if admin is None:
            password = secrets.token_urlsafe(12)
            admin = User.objects.create_superuser("admin", password=password)
            self.stdout.write(f"Created the superuser {admin.username!r} with the password {password}")
            call_command("create_conversation_groups", verbosity=0)
        if not APIKey.objects.exists():
            _, secret = APIKey.create(user=admin, name="first key")
            self.stdout.write(
                f"Created the API key {secret}\n"
                "Secrets are shown only once. When the server runs, try:\n\n"
                f"curl {url}/v1/conversations -H 'Authorization: Bearer {secret}' "
                f"-H 'Content-Type: application/json' -d '{EXAMPLE}'\n"
            )


def _load_application(path: str) -> Callable[..., Any]:
    """Runs first in every worker, which is to stop when the main process says so: Ctrl-C goes to all of them.

    Granian's worker may hang when that signal and the main process's own arrive together, and would not notice
    one that comes while it loads the application.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    application: Callable[..., Any] = import_string(path)
    # What is there by now stays, and is not to be looked through again and again. What other threads work on when
    # garbage is collected soon is garbage too: unless that is found as often, memory goes on growing.
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS, 1, 1)
    return application
