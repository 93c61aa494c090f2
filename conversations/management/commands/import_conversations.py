import os
import sys
from argparse import ArgumentParser
from collections import Counter
from contextlib import ExitStack
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import reset_queries

from conversations.management.progress import show_progress
from conversations.management.users import get_option_user
from conversations.transfer.gzip_stream import open_gzip_file
from conversations.transfer.importer import import_conversations


class Command(BaseCommand):
    help = (
        "Stores the conversations of a JSON Lines file of export_conversations, with their ids, order and times. "
        "Existing conversations are left as they are. Invalid lines are reported, and the import continues."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="decompressed if the name ends with .gz; - is standard input")
        parser.add_argument("--owner", metavar="USERNAME", help="make this user the owner of all conversations")
        parser.add_argument(
            "--create-users", action="store_true", help="create owners that do not exist, without a password"
        )

    def handle(self, *, file: str, owner: str | None, create_users: bool, **options: Any) -> None:
        user = get_option_user(owner)
        counts: Counter[str] = Counter()
        with ExitStack() as stack:
            try:
                raw = sys.stdin.buffer if file == "-" else stack.enter_context(open(file, "rb"))
            except OSError as error:
                raise CommandError(f"{file}: {error.strerror}") from error
            stream = open_gzip_file(raw) if file.endswith(".gz") else raw
            size = 0 if file == "-" else os.path.getsize(file)
            for outcome in import_conversations(stream, owner=user, create_users=create_users):
                counts[outcome.kind] += 1
                counts["items"] += outcome.items
                if outcome.reason:
                    self.stderr.write(f"line {outcome.line}: {outcome.reason}", style_func=str)
                self._show_progress(counts, raw.tell() * 100 // size if size else None)
                reset_queries()  # DEBUG keeps every query.
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
