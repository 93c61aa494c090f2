from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import reset_queries
from django.db.models import Sum

from conversations.deletion import MAX_ROWS, BulkDelete
from conversations.errors import APIError
from conversations.management.progress import count_of, show_progress
from conversations.models import AccessRecord, Conversation, RunRecord
from conversations.schema.query.nodes import EVERYTHING
from conversations.schema.query.parser import parse_query


class Command(BaseCommand):
    help = (
        "Deletes conversations and their items permanently, without a way to restore them. The service can run "
        "meanwhile. If the command is interrupted, run it again to delete the rest."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--query",
            required=True,
            help="the conversations, in the query language: --query='created<2026-01-01' or --query=-topic:keep",
        )
        parser.add_argument("--dry-run", action="store_true", help="print how many match, and delete none")
        parser.add_argument(
            "--batch",
            type=_count,
            default=MAX_ROWS,
            metavar="N",
            help=f"maximum number of rows per transaction (default {MAX_ROWS}); slow transactions get fewer",
        )
        parser.add_argument("--no-input", action="store_true", help="do not ask for confirmation")

    def handle(self, *, query: str, dry_run: bool, batch: int, no_input: bool, **options: Any) -> None:
        try:
            parsed = parse_query(query)
            if parsed == EVERYTHING:
                raise CommandError("An empty query would delete everything: add a condition.")
            run_record = RunRecord(
                user="manage.py delete_conversations", action=AccessRecord.Action.DELETE, query=query
            )
            deletion = BulkDelete(Conversation.objects.all(), query=parsed, max_rows=batch, run_record=run_record)
        except APIError as error:
            raise CommandError(error.message) from error
        total = deletion.matches.count()
        if dry_run:
            items = deletion.matches.aggregate(items=Sum("item_count"))["items"] or 0
            self.stdout.write(f"{count_of(total, 'conversation')} with {count_of(items, 'item')} would be deleted.")
            return
        if not no_input and not self._is_confirmed(total):
            raise CommandError("Nothing was deleted.")
        for _ in deletion:
            show_progress(self.stderr, _progress(deletion, total))
            reset_queries()  # DEBUG would collect them in memory.
        show_progress(self.stderr, _progress(deletion, total), ending="\n")
        self.stdout.write(f"Deleted {_counts(deletion)}.")
        if deletion.held_count:
            self.stdout.write(f"Kept {count_of(deletion.held_count, 'conversation')} on legal hold.")
        if deletion.protected_count:
            self.stdout.write(f"Kept {count_of(deletion.protected_count, 'conversation')} that other rows point to.")

    def _is_confirmed(self, total: int) -> bool:
        conversations = count_of(total, "conversation")
        self.stdout.write(f"{conversations} will be deleted permanently. Type 'yes' to continue: ", ending="")
        self.stdout.flush()
        try:
            return input() == "yes"
        except EOFError:
            return False


def _progress(deletion: BulkDelete, total: int) -> str:
    return f"{deletion.conversation_count:,} of {total:,} conversations, {deletion.item_count:,} items"


def _counts(deletion: BulkDelete) -> str:
    return f"{count_of(deletion.conversation_count, 'conversation')} with {count_of(deletion.item_count, 'item')}"


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ArgumentTypeError("must be at least 1")
    return count
