import gzip
import os
import sys
from argparse import ArgumentParser
from collections import Counter
from contextlib import ExitStack
from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandError
from django.db import reset_queries

from conversations.management.progress import show_progress
from conversations.management.users import user_named
from conversations.transfer.importer import import_conversations


class Command(BaseCommand):
    help = (
        "Stores the conversations of a file that export_conversations wrote as JSON Lines, with their ids, order and "
        "times. Those that are there already are left as they are. A bad line is reported and holds up no other."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="compressed if it ends with .gz; - is standard input")
        parser.add_argument("--owner", metavar="USERNAME", help="give all to this user, whoever owned them")
        parser.add_argument("--create-users", action="store_true", help="create owners that do not exist")

    def handle(self, *, file: str, owner: str | None, create_users: bool, **options: Any) -> None:
        user = user_named(owner)
        counts: Counter[str] = Counter()
        with ExitStack() as stack:
            try:
                raw = sys.stdin.buffer if file == "-" else stack.enter_context(open(file, "rb"))
            except OSError as error:
                raise CommandError(f"{file}: {error.strerror}") from error
            stream = cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if file.endswith(".gz") else raw
            size = 0 if file == "-" else os.path.getsize(file)
            for outcome in import_conversations(stream, owner=user, create_users=create_users):
                counts[outcome.kind] += 1
                counts["items"] += outcome.items
                if outcome.reason:
                    self.stderr.write(f"line {outcome.line}: {outcome.reason}", style_func=str)
                self._show_progress(counts, raw.tell() * 100 // size if size else None)
                reset_queries()  # which DEBUG would keep
            self._show_progress(counts, 100 if size else None, ending="\n")
        self.stdout.write(
            f"Added {counts['added']:,} conversations and {counts['items']:,} items. "
            f"{counts['present']:,} were already there."
        )
        if counts["bad"] or counts["conflict"]:
            raise CommandError(f"There are {counts['bad']:,} bad lines and {counts['conflict']:,} conflicts.")

    def _show_progress(self, counts: Counter[str], percent: int | None, *, ending: str = "\r") -> None:
        done = f"{counts['added'] + counts['present']:,} conversations"
        show_progress(self.stderr, done if percent is None else f"{done}, {percent} %", ending=ending)
