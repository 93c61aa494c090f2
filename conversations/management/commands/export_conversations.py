import gzip
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, cast, get_args

from django.core.management.base import BaseCommand, CommandError
from django.db import reset_queries

from conversations.errors import APIError
from conversations.management.progress import show_progress
from conversations.management.users import user_named
from conversations.models import Conversation
from conversations.schema.query.parser import parse_query
from conversations.transfer.exporter import Export, Format


class Command(BaseCommand):
    help = "Writes conversations and their items as JSON Lines, which import_conversations takes, or as CSV."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", default="-", help="compressed if it ends with .gz; - is standard output")
        parser.add_argument(
            "--query",
            default="",
            help="which ones, in the typed language: --query='topic:demo tenant^ac'; with - first, --query=-topic:demo",
        )
        parser.add_argument("--owner", metavar="USERNAME", help="those of this user")
        parser.add_argument(
            "--format",
            choices=get_args(Format),
            default="jsonl",
            help="jsonl (the default), csv with a row for each conversation, items-csv with a row for each item",
        )
        parser.add_argument(
            "--without-items", action="store_true", help="only the conversations, which then can't be imported"
        )

    def handle(
        self, *, file: str, query: str, owner: str | None, format: Format, without_items: bool, **options: Any
    ) -> None:
        if format == "items-csv" and without_items:
            raise CommandError("items-csv has nothing but items: leave out --without-items.")
        user = user_named(owner)
        conversations = Conversation.objects.visible_to(user) if user else Conversation.objects.all()
        try:
            export = Export(conversations, query=parse_query(query), format=format, with_items=not without_items)
        except APIError as error:
            raise CommandError(error.message) from error
        try:
            with self._opened(file) as stream:
                self._write(export, stream)
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror or error}") from error
        if file != "-":
            counts = f"{export.conversation_count:,} conversations"
            if export.has_items:
                counts += f" and {export.item_count:,} items"
            self.stdout.write(f"Exported {counts}.")

    def _write(self, export: Export, stream: IO[bytes]) -> None:
        total = export.matches.count() if self.stderr.isatty() else 0
        for chunk in export:
            stream.write(chunk)
            show_progress(self.stderr, f"{export.conversation_count:,} of {total:,} conversations")
            reset_queries()  # which DEBUG would keep
        show_progress(self.stderr, f"{export.conversation_count:,} of {total:,} conversations", ending="\n")

    @contextmanager
    def _opened(self, file: str) -> Iterator[IO[bytes]]:
        if file == "-":
            yield cast(IO[bytes], self.stdout.buffer)
            self.stdout.flush()
        elif file.endswith(".gz"):
            with gzip.open(file, "wb", compresslevel=6) as compressed:
                yield cast(IO[bytes], compressed)
        else:
            with open(file, "wb") as plain:
                yield plain
