from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from conversations.deletion import purge_trash
from conversations.idempotency import purge_records
from conversations.management.progress import count_of, show_progress
from conversations.models import DeletedConversation


class Command(BaseCommand):
    help = (
        "Deletes conversations permanently that were deleted in the admin more than CONVERSATIONS_RESTORE_DAYS ago, "
        "and the records of requests that are too old to be repeated."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="print how many there are, and delete none")

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        total = DeletedConversation.objects.overdue().count()
        if dry_run:
            self.stdout.write(f"{count_of(total, 'deleted conversation')} would be purged.")
            return
        purged = 0
        for count in purge_trash():
            purged += count
            show_progress(self.stderr, f"{purged:,} of {total:,} deleted conversations")
        show_progress(self.stderr, f"{purged:,} of {total:,} deleted conversations", ending="\n")
        self.stdout.write(f"Purged {count_of(purged, 'deleted conversation')}.")
        if record_count := sum(purge_records()):
            self.stdout.write(f"Purged {count_of(record_count, 'request record')}.")
