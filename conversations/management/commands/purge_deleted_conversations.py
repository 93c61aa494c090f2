from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import router
from django.utils import timezone

from conversations.deletion import purge_trash
from conversations.idempotency import purge_records
from conversations.management.deleted_words import add_rebuild_option, remove_deleted_words
from conversations.management.progress import count_of, show_progress
from conversations.models import DeletedConversation
from conversations.retention.traces import find_references, find_text


class Command(BaseCommand):
    help = (
        "Deletes conversations permanently that were deleted in the admin more than CONVERSATIONS_RESTORE_DAYS ago, "
        "and the records of requests that are too old to be repeated."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--marker",
            metavar="TEXT",
            help="a text that only purged conversations had: search every table for it, which reads all rows",
        )
        add_rebuild_option(parser)
        parser.add_argument("--dry-run", action="store_true", help="print how many there are, and delete none")

    def handle(self, *, dry_run: bool, marker: str | None, rebuild_index: bool, **options: Any) -> None:
        overdue = DeletedConversation.objects.overdue()
        total = overdue.filter(is_held=False).count()
        if dry_run:
            self.stdout.write(f"{count_of(total, 'deleted conversation')} would be purged.")
            return
        if marker is not None and not marker.strip():
            raise CommandError("The marker must not be blank.")
        started_at, ids = timezone.now(), set(overdue.filter(is_held=False).values_list("conversation_id", flat=True))
        purged = 0
        for count in purge_trash(purged_by="manage.py purge_deleted_conversations"):
            purged += count
            show_progress(self.stderr, f"{purged:,} of {total:,} deleted conversations")
        show_progress(self.stderr, f"{purged:,} of {total:,} deleted conversations", ending="\n")
        self.stdout.write(f"Purged {count_of(purged, 'deleted conversation')}.")
        if held_count := overdue.filter(is_held=True).count():
            self.stdout.write(f"Kept {count_of(held_count, 'deleted conversation')} on legal hold.")
        if record_count := sum(purge_records()):
            self.stdout.write(f"Purged {count_of(record_count, 'request record')}.")
        if purged or rebuild_index:
            remove_deleted_words(self.stdout, rebuild_index=rebuild_index)
        self._print_receipt(ids, marker, started_at)

    def _print_receipt(self, ids: set[str], marker: str | None, started_at: datetime) -> None:
        using = router.db_for_write(DeletedConversation)
        ended_at = timezone.now()
        self.stdout.write(f"Begun {started_at:%Y-%m-%d %H:%M:%S} UTC, ended {ended_at:%H:%M:%S} UTC.")
        if names := find_references(ids, using=using):
            raise CommandError(
                f"Rows of {', '.join(sorted(names))} still refer to purged conversations: a hold, another copy in the "
                "trash or an import keeps them."
            )
        if ids:
            self.stdout.write(
                f"Checked: no table refers to the {count_of(len(ids), 'id')} of these conversations any more. "
                "Only the access log keeps ids, as proof of who read what."
            )
        if marker is not None:
            if places := list(find_text(marker)):
                raise CommandError(f"The marker is still in {', '.join(places)}.")
            self.stdout.write("Checked: the marker is in no table.")
