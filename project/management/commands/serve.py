import os
import secrets
from argparse import ArgumentParser
from contextlib import nullcontext
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connections
from django.http.request import validate_host
from django.utils.module_loading import import_string

from conversations.models import APIKey
from project.responses import bind as bind_responses
from project.server import bind, serve
from project.startup import missing_migrations, startup_lock, unknown_migrations

DEFAULT_THREADS = 4  # per worker; they share one interpreter
LOOPBACK_HOSTS = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - the URL to print for "all interfaces"
EXAMPLE = '{"metadata": {"topic": "demo"}, "items": [{"type": "message", "role": "user", "content": "Hello!"}]}'


class Command(BaseCommand):
    help = "Prepares the database, on the first start also an admin and an API key, and serves the API and the admin."
    requires_system_checks = []  # handle() runs them: some need the database, which may not be there

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--workers", type=int, default=os.cpu_count(), help="Processes. Default: one per core.")
        parser.add_argument(
            "--threads", type=int, default=DEFAULT_THREADS, help=f"Threads per process. Default: {DEFAULT_THREADS}."
        )
        parser.add_argument(
            "--no-migrate",
            action="store_false",
            dest="migrate",
            help="Don't migrate the database, and don't start unless all migrations are applied.",
        )
        parser.add_argument(
            "--no-periodic",
            action="store_false",
            dest="periodic",
            help="Don't refresh the overview, apply retention rules, or purge the trash and old records of requests.",
        )

    def handle(
        self,
        *,
        host: str,
        port: int,
        workers: int,
        threads: int,
        migrate: bool = True,
        periodic: bool = True,
        **options: Any,
    ) -> None:
        if workers < 1 or threads < 1:
            raise CommandError("The number of workers and the number of threads must be at least 1.")
        calls_models = apps.is_installed("conversations.responses")
        last_port = 65535 - calls_models
        if not 1 <= port <= last_port:
            raise CommandError(f"The port must be between 1 and {last_port}.")
        try:
            sockets = bind(host, port, workers=workers)
            responses = bind_responses(host, port + 1) if calls_models else None
        except OSError as error:
            raise CommandError(f"Can't serve at {host}:{port}: {error}") from error
        host_in_url = f"[{host}]" if ":" in host else host
        site = f"http://{LOOPBACK_HOSTS.get(host_in_url, host_in_url)}"
        url, model_url = f"{site}:{port}", f"{site}:{port + 1}"
        self._prepare_database(url, migrate=migrate)
        if not validate_host(host_in_url, settings.ALLOWED_HOSTS):
            allowed = ", ".join(settings.ALLOWED_HOSTS)
            self.stderr.write(f"Only requests to {allowed} are answered. Set ALLOWED_HOSTS to answer others.")
        self.stdout.flush()
        connections.close_all()
        with import_string("project.metrics.metrics_folder")() if settings.METRICS_TOKEN else nullcontext():
            announce = partial(self._announce, url, model_url if responses else "")
            serve(
                sockets,
                host=host,
                port=port,
                threads=threads,
                periodic=periodic,
                announce=announce,
                responses=responses,
            )

    def _announce(self, url: str, model_url: str) -> None:
        if model_url:
            self.stdout.write(f"Serving model calls, and all of the API, at {model_url}{settings.API_PREFIX}.")
        self.stdout.write(
            f"Serving the API at {url}{settings.API_PREFIX} and the admin at {url}/admin/. Stop with Ctrl-C."
        )
        self.stdout.flush()

    def _prepare_database(self, url: str, *, migrate: bool) -> None:
        if settings.DATABASES["default"]["NAME"] == ":memory:":
            raise CommandError("Can't use an in-memory database: each worker would have its own and lose it on exit.")
        try:
            self.check()
            with startup_lock():
                if unknown := unknown_migrations():
                    raise CommandError(
                        f"This version is older than the database, which has the migrations {', '.join(unknown)}. "
                        "Install the version that made them, or a newer one."
                    )
                if migrate:
                    call_command("migrate", verbosity=0, interactive=False)
                elif missing := missing_migrations():
                    raise CommandError(
                        f"The database lacks the migrations {', '.join(missing)}. Run `python manage.py migrate`, or "
                        "start without --no-migrate."
                    )
                self._create_first_secrets(url)
        except KeyboardInterrupt as error:
            raise CommandError("Interrupted while the database was prepared.", returncode=130) from error
        except DatabaseError as error:
            raise CommandError(f"Can't use the database: {' '.join(str(error).split())}") from error

    def _create_first_secrets(self, url: str) -> None:
        """Create a superuser and an API key if there are none, and print their secrets, which are not stored."""
        admin = User.objects.filter(is_superuser=True).order_by("pk").first()
        if admin is None:
            # Without passwords, this user owns the first API key, and staff sign in by the identity provider.
            password = secrets.token_urlsafe(12) if settings.PASSWORD_LOGIN else None
            admin = User.objects.create_superuser("admin", password=password)
            if password:
                self.stdout.write(f"Created the superuser {admin.username!r} with the password {password}")
            call_command("create_conversation_groups", verbosity=0)
        if not APIKey.objects.exists():
            _, secret = APIKey.create(user=admin, name="first key", created_by="manage.py serve")
            self.stdout.write(
                f"Created the API key {secret}\n"
                "Secrets are shown only once. When the server runs, try:\n\n"
                f"curl {url}{settings.API_PREFIX}/conversations {_host_option(url)}-H 'Authorization: Bearer {secret}' "
                f"-H 'Content-Type: application/json' -d '{EXAMPLE}'\n"
            )


def _host_option(url: str) -> str:
    """Return the option with a host that ALLOWED_HOSTS has, or "" if requests to this URL are answered."""
    host = urlsplit(url).netloc.rpartition(":")[0]
    if validate_host(host, settings.ALLOWED_HOSTS):
        return ""
    return f"-H 'Host: {settings.ALLOWED_HOSTS[0].removeprefix('.')}' " if settings.ALLOWED_HOSTS else ""
