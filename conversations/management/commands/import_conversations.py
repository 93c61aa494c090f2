import os
import sys
from argparse import ArgumentParser
from collections import Counter
from contextlib import ExitStack
from io import BufferedReader, RawIOBase
from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandError
from django.db import reset_queries

from conversations.management.progress import count_of, show_progress
from conversations.management.users import get_option_user
from conversations.transfer.foreign_formats import PEEK, recognize
from conversations.transfer.gzip_stream import GZIP_MAGIC, READ_ERRORS, open_gzip_file
from conversations.transfer.importer import import_conversations


class Command(BaseCommand):
    help = (
        "Stores the conversations of a JSON Lines file of export_conversations, with their ids, order and times. "
        "Existing conversations are left as they are. Invalid lines are reported, and the import continues."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="may be compressed with gzip; - is standard input")
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
            stream = self._open(raw, file)
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
            f"Added {count_of(counts['added'], 'conversation')} and {count_of(counts['items'], 'item')}. "
            f"{counts['present']:,} were already there."
        )
        if counts["bad"] or counts["conflict"]:
            faults = f"{count_of(counts['bad'], 'bad line')} and {count_of(counts['conflict'], 'conflict')}"
            raise CommandError(f"The file has {faults}.")

    def _open(self, raw: IO[bytes], name: str) -> IO[bytes]:
        """Return the stream of an export, decompressed, or raise an error if the file is of another format."""
        stream = BufferedReader(cast(RawIOBase, raw))
        if stream.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC):
            stream = BufferedReader(cast(RawIOBase, open_gzip_file(stream)))
        try:
            other_format = recognize(stream.peek(PEEK))
        except READ_ERRORS:  # reported with its line
            other_format = None
        if other_format:
            raise CommandError(
                f"{name} seems to be {other_format}. Expected a file of export_conversations: JSON Lines, one for each "
                "conversation and each item."
            )
        return stream

    def _show_progress(self, counts: Counter[str], percent: int | None, *, ending: str = "\r") -> None:
        done = count_of(counts["added"] + counts["present"], "conversation")
        show_progress(self.stderr, done if percent is None else f"{done}, {percent} %", ending=ending)
