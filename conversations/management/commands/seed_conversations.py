from argparse import ArgumentParser, ArgumentTypeError
from datetime import date
from math import isfinite
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from conversations.management.progress import show_progress
from conversations.seeding import AlreadySeeded, seed_conversations

# Ids tell the time in Unix seconds of 32 bits.
EARLIEST_START, LATEST_START = date(1971, 1, 1), date(2106, 1, 1)


class Command(BaseCommand):
    help = "Stores made-up conversations of users seed-0001, seed-0002, …: the same ones for the same seed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--conversations", type=_count, required=True, metavar="N", help="how many to add")
        parser.add_argument(
            "--items-per", type=_average, default=4.0, metavar="M", help="items of a conversation on average (4)"
        )
        parser.add_argument("--seed", type=int, default=1, metavar="S", help="an integer; another one adds others (1)")
        parser.add_argument(
            "--start",
            type=_start,
            default=date(2026, 1, 1),
            metavar="DATE",
            help="conversations are of the 365 days before this day (2026-01-01)",
        )

    def handle(self, *, conversations: int, items_per: float, seed: int, start: date, **options: Any) -> None:
        done = 0
        try:
            for done in seed_conversations(conversations=conversations, items_per=items_per, seed=seed, start=start):
                ending = "\n" if done == conversations else "\r"
                show_progress(self.stderr, f"{done:,} of {conversations:,} conversations", ending=ending)
        except AlreadySeeded as error:
            added = f"{done:,} were added" if done else "Nothing was added"
            raise CommandError(f"Conversations of seed {seed} exist. {added}. Choose another --seed.") from error
        self.stdout.write(f"Added {done:,} conversations.")


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ArgumentTypeError("must be at least 1")
    return count


def _average(text: str) -> float:
    average = float(text)
    if not isfinite(average) or average < 0:
        raise ArgumentTypeError("must be 0 or more")
    return average


def _start(text: str) -> date:
    try:
        start = date.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no date such as 2026-01-01") from error
    if not EARLIEST_START <= start <= LATEST_START:
        raise ArgumentTypeError(f"must be from {EARLIEST_START} to {LATEST_START}")
    return start
