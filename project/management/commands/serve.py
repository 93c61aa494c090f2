import os
import secrets
import socket
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connections
from django.http.request import validate_host
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import Server

from conversations.models import APIKey

THREADS_PER_WORKER = 4
EXAMPLE = '{"metadata": {"topic": "demo"}, "items": [{"type": "message", "role": "user", "content": "Hello!"}]}'


class Command(BaseCommand):
    help = "Prepares the database, on a first start also an admin and an API key, and serves the API and the admin."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes; one a core if not given")

    def handle(self, *, host: str, port: int, workers: int, **options: Any) -> None:
        if workers < 1:
            raise CommandError("There must be at least one worker.")
        self._check_address(host, port)
        self._prepare_database()
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        self._create_first_secrets(url)
        if not validate_host(host, settings.ALLOWED_HOSTS):
            allowed = ", ".join(settings.ALLOWED_HOSTS)
            self.stderr.write(f"Requests for names other than {allowed} are refused: set ALLOWED_HOSTS.")
        self.stdout.write(f"Serving the API at {url}/v1 and the admin at {url}/admin/. Stop with Ctrl-C.")
        self.stdout.flush()
        connections.close_all()
        Server(
            "project.wsgi:application",
            address=host,
            port=port,
            interface=Interfaces.WSGI,
            workers=workers,
            blocking_threads=THREADS_PER_WORKER,
            respawn_failed_workers=True,
            log_level=LogLevels.warning,
        ).serve()

    def _check_address(self, host: str, port: int) -> None:
        try:
            family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            with socket.socket(family, kind) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
        except (OSError, OverflowError) as error:
            raise CommandError(f"Can't serve at {host}:{port}: {error}") from error

    def _prepare_database(self) -> None:
        try:
            call_command("migrate", verbosity=0, interactive=False)
        except OperationalError as error:
            raise CommandError(f"Can't use the database: {error}") from error

    def _create_first_secrets(self, url: str) -> None:
        """Each is printed by the start that makes it, and never again."""
        admin = User.objects.filter(is_superuser=True).order_by("pk").first()
        if admin is None:
            password = secrets.token_urlsafe(12)
            admin = User.objects.create_superuser("admin", password=password)
            self.stdout.write(f"Created the superuser {admin.username!r} with the password {password}")
        if not APIKey.objects.exists():
            _, secret = APIKey.create(user=admin, name="first key")
            self.stdout.write(
                f"Created the API key {secret}\n"
                "Neither is shown again. When the server runs, try:\n\n"
                f"curl {url}/v1/conversations -H 'Authorization: Bearer {secret}' "
                f"-H 'Content-Type: application/json' -d '{EXAMPLE}'\n"
            )
