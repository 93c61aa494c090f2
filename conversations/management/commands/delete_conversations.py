from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import reset_queries
from django.db.models import Sum

from conversations.deletion import MAX_ROWS, BulkDelete
from conversations.errors import APIError
from conversations.management.progress import show_progress
from conversations.models import Conversation
from conversations.schema.query.nodes import EVERYTHING
from conversations.schema.query.parser import parse_query


class Command(BaseCommand):
    help = (
        "Deletes conversations for good, with their items, without a way to restore them. The service may run "
        "meanwhile, and what was interrupted goes on where it stopped."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--query",
            required=True,
            help="which ones, in the typed language: --query='created<2026-01-01'; with - first, --query=-topic:keep",
        )
        parser.add_argument("--dry-run", action="store_true", help="only print how many there are")
        parser.add_argument(
            "--batch",
            type=_count,
            default=MAX_ROWS,
            metavar="N",
            help=f"rows that a transaction deletes at most ({MAX_ROWS}); fewer, where they would take too long",
        )
        parser.add_argument("--no-input", action="store_true", help="delete without asking")

    def handle(self, *, query: str, dry_run: bool, batch: int, no_input: bool, **options: Any) -> None:
        try:
            parsed = parse_query(query)
            if parsed == EVERYTHING:
                raise CommandError("An empty query would delete everything: say what is to be deleted.")
            deletion = BulkDelete(Conversation.objects.all(), query=parsed, max_rows=batch)
        except APIError as error:
            raise CommandError(error.message) from error
        total = deletion.matches.count()
        if dry_run:
            items = deletion.matches.aggregate(items=Sum("item_count"))["items"] or 0
            self.stdout.write(f"{total:,} conversations with {items:,} items would be deleted.")
            return
        if not no_input and not self._is_confirmed(total):
            raise CommandError("Nothing was deleted.")
        for _ in deletion:
            show_progress(self.stderr, _progress(deletion, total))
            reset_queries()  # which DEBUG would keep
        show_progress(self.stderr, _progress(deletion, total), ending="\n")
        self.stdout.write(f"Deleted {_counts(deletion)}.")
        if deletion.protected_count:
            self.stdout.write(f"Kept {deletion.protected_count:,} conversations that other rows point to.")

    def _is_confirmed(self, total: int) -> bool:
        self.stdout.write(f"{total:,} conversations will be deleted for good. Type 'yes' to go on: ", ending="")
        self.stdout.flush()
        try:
            return input() == "yes"
        except EOFError:
            return False


def _progress(deletion: BulkDelete, total: int) -> str:
    return f"{deletion.conversation_count:,} of {total:,} conversations, {deletion.item_count:,} items"


def _counts(deletion: BulkDelete) -> str:
    return f"{deletion.conversation_count:,} conversations with {deletion.item_count:,} items"


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ArgumentTypeError("must be at least 1")
    return count
