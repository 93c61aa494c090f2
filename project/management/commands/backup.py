from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from conversations.management.progress import count_of
from project.sqlite_backup import BackupError, Counts, back_up

OTHER_ENGINE = (
    "This command is for SQLite. Use pg_dump and pg_restore for PostgreSQL, mariadb-dump and mariadb for MariaDB, as "
    "project/README.md describes."
)


class Command(BaseCommand):
    help = (
        "Copies the SQLite database to a file while the service runs. The file is replaced when the copy is complete."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *, file: Path, **options: Any) -> None:
        try:
            counts = back_up(database_file(), file)
        except (BackupError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Wrote {file}: {describe(counts)}.")


def database_file() -> Path:
    """Return the file of the SQLite database. Raise `CommandError` if the database is another one."""
    database = settings.DATABASES["default"]
    if not database["ENGINE"].endswith("sqlite3"):
        raise CommandError(OTHER_ENGINE)
    return Path(database["NAME"])


def describe(counts: Counts) -> str:
    return f"{count_of(counts.conversations, 'conversation')} and {count_of(counts.items, 'item')}"
