from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from conversations.management.progress import count_of, show_progress
from conversations.overview.rollup import refresh


class Command(BaseCommand):
    help = (
        "Counts conversations and items that are newer than the last run, for the overview in the admin. "
        "Run it every few minutes, and every night with --rebuild to count changes and deletions."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--rebuild",
            action="store_true",
            help="count all again, including imports with earlier times",
        )

    def handle(self, *, rebuild: bool, **options: Any) -> None:
        for progress in refresh(rebuild=rebuild):
            text = (
                f"{progress.conversations:,} of {progress.total_conversations:,} conversations, "
                f"{progress.items:,} of {progress.total_items:,} items"
            )
            show_progress(self.stderr, text)
        show_progress(self.stderr, text, ending="\n")
        self.stdout.write(
            f"Counted {count_of(progress.conversations, 'conversation')} and {count_of(progress.items, 'item')}."
        )
