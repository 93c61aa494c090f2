from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from conversations.management.progress import show_progress
from conversations.overview.rollup import refresh


class Command(BaseCommand):
    help = (
        "Counts the conversations and items that have come since the last time, for the overview in the admin. "
        "Run it every few minutes; with --rebuild every now and then, which also sees deletions and changes."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--rebuild", action="store_true", help="count everything anew, also what was imported with earlier times"
        )

    def handle(self, *, rebuild: bool, **options: Any) -> None:
        for progress in refresh(rebuild=rebuild):
            text = (
                f"{progress.conversations:,} of {progress.total_conversations:,} conversations, "
                f"{progress.items:,} of {progress.total_items:,} items"
            )
            show_progress(self.stderr, text)
        show_progress(self.stderr, text, ending="\n")
        self.stdout.write(f"Counted {progress.conversations:,} conversations and {progress.items:,} items.")
