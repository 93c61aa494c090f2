import os
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copymode
from typing import IO, Any, cast, get_args

from django.core.management.base import BaseCommand, CommandError
from django.db import reset_queries

from conversations.errors import APIError
from conversations.management.progress import count_of, show_progress
from conversations.management.users import get_option_user
from conversations.models import Conversation
from conversations.schema.query.parser import parse_query
from conversations.transfer.exporter import Export
from conversations.transfer.formats import Format
from conversations.transfer.gzip_stream import compress


class Command(BaseCommand):
    help = (
        "Writes conversations and their items as JSON Lines, for import_conversations, or in another format for "
        "spreadsheets, people or fine-tuning."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "file", nargs="?", default="-", help="written with gzip if the name ends with .gz; - is standard output"
        )
        parser.add_argument(
            "--query",
            default="",
            help="export only the matches: --query='topic:demo tenant^ac', or with a leading -: --query=-topic:demo",
        )
        parser.add_argument("--owner", metavar="USERNAME", help="export only conversations of this user")
        parser.add_argument(
            "--format",
            choices=get_args(Format),
            default="jsonl",
            help="jsonl (the default), csv with a row per conversation, items-csv with a row per item, messages for "
            "fine-tuning (JSON Lines of chat messages), markdown, html (one page that loads nothing)",
        )
        parser.add_argument(
            "--without-items",
            action="store_true",
            help="leave out the items; import_conversations does not accept such a file",
        )

    def handle(
        self, *, file: str, query: str, owner: str | None, format: Format, without_items: bool, **options: Any
    ) -> None:
        if without_items and format not in ("jsonl", "csv"):
            raise CommandError(f"--without-items cannot be combined with --format {format}, which consists of items.")
        user = get_option_user(owner)
        conversations = Conversation.objects.filter(owner=user.pk) if user else Conversation.objects.all()
        try:
            export = Export(conversations, query=parse_query(query), format=format, with_items=not without_items)
        except APIError as error:
            raise CommandError(error.message) from error
        chunks = self._read_with_progress(export)
        try:
            with self._open(file) as stream:
                for chunk in compress(chunks) if file.endswith(".gz") else chunks:
                    stream.write(chunk)
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror or error}") from error
        if omissions := export.file.omissions:
            names = ", ".join(f"{name} ({count:,})" for name, count in omissions.most_common())
            self.stderr.write(f"Left out, because the format has no place for it: {names}", style_func=str)
        if file != "-":
            counts = count_of(export.conversation_count, "conversation")
            if export.has_items:
                counts += f" and {count_of(export.item_count, 'item')}"
            self.stdout.write(f"Exported {counts}.")

    def _read_with_progress(self, export: Export) -> Iterator[bytes]:
        total = export.matches.count() if self.stderr.isatty() else 0
        for chunk in export:
            yield chunk
            show_progress(self.stderr, f"{export.conversation_count:,} of {total:,} conversations")
            reset_queries()  # DEBUG keeps every query.
        show_progress(self.stderr, f"{export.conversation_count:,} of {total:,} conversations", ending="\n")

    @contextmanager
    def _open(self, file: str) -> Iterator[IO[bytes]]:
        """Open a file that replaces `file` when it is complete, so that a failing export leaves the last one."""
        path = Path(file)
        if file == "-":
            yield cast(IO[bytes], self.stdout.buffer)
            self.stdout.flush()
        elif path.exists() and not path.is_file():  # a pipe or a device
            with path.open("wb") as stream:
                yield stream
        else:
            path = path.resolve()  # Replace the file that a symbolic link leads to, not the link.
            partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
            try:
                with partial.open("wb") as stream:
                    if path.exists():
                        copymode(path, partial)
                    yield stream
                    stream.flush()
                    os.fsync(stream.fileno())
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)
