from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from project.management.commands.backup import database_file, describe
from project.sqlite_backup import BackupError, restore
from project.startup import missing_migrations


class Command(BaseCommand):
    help = "Replaces the SQLite database by a backup, in one transaction. Everything written since the backup is lost."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--no-input", action="store_false", dest="interactive", help="don't ask for confirmation")

    def handle(self, *, file: Path, interactive: bool, **options: Any) -> None:
        database = database_file()
        if interactive and input(f"Replace everything in {database} by {file}? Type yes: ") != "yes":
            raise CommandError("Nothing was changed.")
        try:
            counts = restore(file, database)
        except (BackupError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Restored {file}: {describe(counts)}.")
        if missing_migrations():
            self.stdout.write("The backup was made by an older version. Run `python manage.py migrate`.")
