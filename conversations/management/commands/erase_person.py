from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import reset_queries

from conversations.management.deleted_words import add_rebuild_option, remove_deleted_words
from conversations.management.progress import count_of, show_progress
from conversations.management.users import get_option_user
from conversations.retention.erasure import Erasure
from conversations.retention.person import Person
from conversations.retention.receipt import COUNTED, Receipt


class Command(BaseCommand):
    help = (
        "Erases a person: conversations with their items and indexes, copies in the trash, and saved views and texts "
        "in the access log and the admin's history that name the person. Prints a receipt. The service can run "
        "meanwhile. If the command is interrupted, run it again to erase the rest."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--owner", metavar="USERNAME", help="conversations of this owner")
        parser.add_argument("--end-user", metavar="NAME", help="conversations of this end user")
        parser.add_argument(
            "--metadata", nargs=2, metavar=("KEY", "VALUE"), help="conversations with exactly this metadata value"
        )
        add_rebuild_option(parser)
        parser.add_argument("--no-input", action="store_true", help="do not ask for confirmation")

    def handle(
        self,
        *,
        owner: str | None,
        end_user: str | None,
        metadata: list[str] | None,
        rebuild_index: bool,
        no_input: bool,
        **options: Any,
    ) -> None:
        try:
            pair = (metadata[0], metadata[1]) if metadata else None
            person = Person(owner=get_option_user(owner), end_user=end_user, metadata=pair)
        except ValueError as error:
            raise CommandError(str(error)) from error
        erasure = Erasure(person, erased_by="manage.py erase_person")
        if not no_input and not self._is_confirmed(erasure.matches().count()):
            raise CommandError("Nothing was erased.")
        for _ in erasure:
            show_progress(self.stderr, f"{erasure.receipt.checked_count:,} conversations")
            reset_queries()  # DEBUG would collect them in memory.
        self._print(erasure.receipt, chosen_by=person.criteria)
        remove_deleted_words(self.stdout, rebuild_index=rebuild_index)
        if erasure.receipt.held_count:
            raise CommandError(
                f"The erasure is not complete: {count_of(erasure.receipt.held_count, 'conversation')} on legal hold. "
                "Release the hold, and run the erasure again."
            )
        if erasure.receipt.protected_count:
            kept = count_of(erasure.receipt.protected_count, "conversation")
            raise CommandError(f"The erasure is not complete: other rows point to {kept}.")

    def _print(self, receipt: Receipt, *, chosen_by: list[str]) -> None:
        self.stdout.write(f"Erased a person, chosen by {' and '.join(chosen_by)}.")
        self.stdout.write(
            f"Begun {receipt.started_at:%Y-%m-%d %H:%M:%S} UTC, ended {receipt.finished_at:%H:%M:%S} UTC."
        )
        for name in COUNTED:
            self.stdout.write(f"{name}: {receipt.counts[name]:,}")
        if receipt.rules:
            self.stdout.write(
                f"Retention rules that name the person stay: {', '.join(map(str, receipt.rules))}. Change or delete "
                "them in the admin."
            )
        self.stdout.write(
            f"Checked: no table refers to the {count_of(receipt.checked_count, 'id')} of these conversations any more. "
            "Only the access log keeps ids, as proof of who read what."
        )

    def _is_confirmed(self, total: int) -> bool:
        self.stdout.write(
            f"{count_of(total, 'conversation')}, copies in the trash, saved views and search texts will be erased. "
            "Type 'yes' to continue: ",
            ending="",
        )
        self.stdout.flush()
        try:
            return input() == "yes"
        except EOFError:
            return False
