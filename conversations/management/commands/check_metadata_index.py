from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from conversations.errors import APIError
from conversations.management.progress import count_of, show_progress
from conversations.metadata_index import find_differences, repair
from conversations.models import Conversation

MAX_LINES = 100


class Command(BaseCommand):
    help = "Compares the metadata index with the metadata of conversations, and fails if they differ."
    batch_size = 200  # conversations per query, which returns their metadata once per pair

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--repair", action="store_true", help="correct the index according to the metadata")

    def handle(self, *, repair: bool, **options: Any) -> None:
        checked = repaired = remaining = 0
        total = Conversation.objects.count() if self.stderr.isatty() else 0
        for conversation_ids in self._batches():
            differences = find_differences(conversation_ids)
            for line, is_repaired in _repair(differences) if repair else _report(differences):
                if repaired + remaining < MAX_LINES:
                    self.stdout.write(line)
                repaired += is_repaired
                remaining += not is_repaired
            checked += len(conversation_ids)
            show_progress(self.stderr, f"{checked:,} of {total:,} conversations")
        show_progress(self.stderr, f"{checked:,} of {checked:,} conversations", ending="\n")
        if repair:
            self.stdout.write(f"Checked {count_of(checked, 'conversation')} and repaired the index of {repaired:,}.")
            if remaining:
                raise CommandError(
                    f"The index still differs from the metadata of {count_of(remaining, 'conversation')}."
                )
        elif remaining:
            raise CommandError(
                f"The index differs from the metadata of {remaining:,} of {checked:,} conversations. "
                "Repair it with --repair."
            )
        else:
            self.stdout.write(f"The index agrees with the metadata of {count_of(checked, 'conversation')}.")

    def _batches(self) -> Iterator[list[str]]:
        rows = Conversation.objects.order_by("pk").values_list("pk", flat=True)
        batch = list(rows[: self.batch_size])
        while batch:
            yield batch
            batch = list(rows.filter(pk__gt=batch[-1])[: self.batch_size]) if len(batch) == self.batch_size else []


def _report(differences: dict[str, list[str]]) -> Iterator[tuple[str, bool]]:
    """Yield a line for each conversation, and False because nothing was repaired."""
    for conversation_id, its_differences in differences.items():
        yield _line(conversation_id, its_differences), False


def _repair(conversation_ids: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Repair the index of each conversation, and yield a line and whether that succeeded."""
    for conversation_id in conversation_ids:
        try:
            if differences := repair(conversation_id):
                yield _line(conversation_id, differences), True
        except APIError as error:
            yield _line(conversation_id, [error.message]), False


def _line(conversation_id: str, differences: list[str]) -> str:
    return f"{conversation_id}: {', '.join(differences)}"
