import os
import random
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from io import BufferedReader, RawIOBase
from itertools import count, islice
from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, reset_queries

from conversations.db.errors import is_conflict
from conversations.management.progress import count_of, show_progress
from conversations.management.users import get_option_user
from conversations.transfer.foreign_formats import PEEK, recognize
from conversations.transfer.gzip_stream import GZIP_MAGIC, READ_ERRORS, open_gzip_file
from conversations.transfer.importer import Outcome, import_conversations

ATTEMPTS = 10


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
        try:
            for outcome, percent in self._import(file, owner=user, create_users=create_users):
                counts[outcome.kind] += 1
                counts["items"] += outcome.items
                if outcome.reason:
                    self.stderr.write(f"line {outcome.line}: {outcome.reason}", style_func=str)
                self._show_progress(counts, percent)
                reset_queries()  # DEBUG keeps every query.
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}") from error
        self._show_progress(counts, None if file == "-" else 100, ending="\n")
        self.stdout.write(
            f"Added {count_of(counts['added'], 'conversation')} and {count_of(counts['items'], 'item')}. "
            f"{counts['present']:,} were already there."
        )
        if counts["bad"] or counts["conflict"]:
            faults = f"{count_of(counts['bad'], 'bad line')} and {count_of(counts['conflict'], 'conflict')}"
            raise CommandError(f"The file has {faults}.")

    def _import(self, file: str, **options: Any) -> Iterator[tuple[Outcome, int | None]]:
        """Yield each outcome, and how much of the file has been read, in percent.

        After a conflict with a parallel transaction, read the file again, and skip the outcomes that were yielded.
        """
        if file == "-":
            stream = self._open(sys.stdin.buffer, file)
            yield from ((outcome, None) for outcome in import_conversations(stream, **options))
            return
        done = 0
        for attempt in count(1):
            try:
                with open(file, "rb") as raw:
                    size = os.path.getsize(file)
                    stream = self._open(raw, file)  # It closes the file when it is garbage.
                    for outcome in islice(import_conversations(stream, **options), done, None):
                        done += 1
                        yield outcome, raw.tell() * 100 // size if size else None
                return
            except DatabaseError as error:
                if attempt == ATTEMPTS or not is_conflict(error):
                    raise
            # Imports that conflicted start again at different times.
            time.sleep(random.uniform(0, attempt))  # noqa: S311 - no secret

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
