"""Store any number of made-up conversations, to see how a large store looks and how fast it is.

    DATABASE_URL=postgres://… SECRET_KEY=x .venv/bin/python -m tests.seed --conversations 10000

Ids, times, owners, metadata and items depend only on the seed: the same seed makes the same rows in any database.
"""

import os
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time
from itertools import accumulate, islice
from math import isfinite, log
from random import Random
from typing import Any, NamedTuple

import django
from django.apps import apps

if not apps.ready:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, IntegrityError, reset_queries, router, transaction

from conversations import ids
from conversations.management.progress import show_progress
from conversations.models import Conversation, Item, writer
from conversations.schema.call_balance import call_balance
from conversations.schema.items import item_id_prefix
from conversations.schema.metadata import MAX_PAIRS
from project.startup import missing_migrations
from tests.seed_items import random_items

# Ids contain the creation time as 32-bit Unix seconds.
EARLIEST_START, LATEST_START = date(1971, 1, 1), date(2106, 1, 1)

BATCH = 2_000  # conversations per transaction
ROWS = 1_000  # rows per INSERT, whose size MySQL's max_allowed_packet limits
SPAN_NS = 365 * 24 * 60 * 60 * 1_000_000_000  # nanoseconds of the year before the start

# Zipf's law. With this exponent, the first of 1,000 owners has a fifth of all conversations.
OWNER_WEIGHTS = list(accumulate(rank**-1.14 for rank in range(1, 1_001)))

OTHER_CHANNELS = ["app", "email", "phone"]
PLANS = ["free", "team", "enterprise"]
ODD_PAIRS = {
    'the "best" one': 'say "yes"',
    "customer's": "O'Brien",
    "items[0]": "[1, 2]",
    "created_at__gte": "2025__01",
    "größe": "Übermaß",
    "注文": "東京",
    "🎉": "🙏🏽 thanks",
}


class AlreadySeeded(Exception):
    """A conversation of the seed exists in the database."""


class Draft(NamedTuple):
    """An unsaved conversation with its items, whose owner is still a number."""

    owner: int  # 1 to 1,000, the largest first
    conversation: Conversation
    items: list[Item]


def seed_conversations(*, conversations: int, items_per: float, seed: int, start: date) -> Iterator[int]:
    """Store made-up conversations, and yield after each batch the number of those stored so far.

    They are spread evenly over the 365 days before `start`, with `items_per` items on average. Raise `AlreadySeeded`
    if an id exists in the database: then nothing of its batch is stored.
    """
    drafts = make_drafts(conversations, items_per, seed, start)
    owners: dict[str, Any] = {}
    done = 0
    while batch := list(islice(drafts, BATCH)):
        try:
            with transaction.atomic():
                _store(batch, owners)
        except IntegrityError as error:
            if Conversation.objects.filter(pk__in=[draft.conversation.pk for draft in batch]).exists():
                raise AlreadySeeded from error
            raise
        reset_queries()  # DEBUG keeps every query.
        done += len(batch)
        yield done


def _store(batch: list[Draft], owners: dict[str, Any]) -> None:
    find_or_create_users({username_of_rank(draft.owner) for draft in batch} - owners.keys(), owners)
    for draft in batch:
        draft.conversation.owner_id = owners[username_of_rank(draft.owner)]
    using = router.db_for_write(Conversation)
    writer.insert_conversations([draft.conversation for draft in batch], using=using, batch_size=ROWS)
    writer.insert_items([item for draft in batch for item in draft.items], using=using, batch_size=ROWS)


def username_of_rank(owner: int) -> str:
    return f"seed-{owner:04}"


def find_or_create_users(usernames: Iterable[str], owners: dict[str, Any]) -> None:
    """Create the users that do not exist, and add the primary keys of all of them to `owners`, by name."""
    User = get_user_model()
    known = User._default_manager.filter(**{f"{User.USERNAME_FIELD}__in": usernames})
    existing = set(known.values_list(User.USERNAME_FIELD, flat=True))
    users = [User(**{User.USERNAME_FIELD: username}) for username in sorted(usernames) if username not in existing]
    for user in users:
        user.set_unusable_password()
    User._default_manager.bulk_create(users)
    owners.update(known.all().values_list(User.USERNAME_FIELD, "pk"))


def make_drafts(conversations: int, items_per: float, seed: int, start: date) -> Iterator[Draft]:
    random = Random(seed)
    end = datetime.combine(start, time(), tzinfo=UTC)
    begin_ns = int(end.timestamp()) * 1_000_000_000 - SPAN_NS
    for number in range(conversations):
        now_ns = begin_ns + SPAN_NS * number // conversations
        # The first id depends only on seed and start, so any second run finds it taken.
        conversation_id = ids.compose_id(ids.CONVERSATION_PREFIX, nanoseconds=now_ns, bits=random.getrandbits(128))
        [owner] = random.choices(range(1, len(OWNER_WEIGHTS) + 1), cum_weights=OWNER_WEIGHTS)
        metadata = _metadata(random, owner, is_oldest=number * 20 < conversations)
        conversation = Conversation(id=conversation_id, created_at=ids.created_at(conversation_id), metadata=metadata)
        items = _build_items(random, conversation, now_ns, items_per)
        conversation.item_count = conversation.last_position = len(items)
        conversation.call_balance = call_balance((item.type, item.call_id) for item in items)
        conversation.last_item_at = items[-1].created_at if items else None
        yield Draft(owner, conversation, items)


def _metadata(random: Random, owner: int, *, is_oldest: bool) -> dict[str, str]:
    draw = random.random()
    if draw < 0.02:
        return {}
    metadata = {
        "tenant": f"tenant-{owner:04}",
        "channel": "web" if random.random() < 0.5 else random.choice(OTHER_CHANNELS),
        "plan": "legacy" if is_oldest else random.choice(PLANS),
        "order_id": f"order-{random.getrandbits(64):016x}",
    }
    if is_oldest:
        metadata["migrated_from"] = "crm"
    if random.random() < 0.01:
        metadata["escalated"] = "yes"
    for key, value in ODD_PAIRS.items():
        if random.random() < 0.005:
            metadata[key] = value
    if draw > 0.99:
        for number in range(len(metadata) + 1, MAX_PAIRS + 1):
            metadata[f"attribute_{number:02}"] = f"value {random.randrange(100)}"
    return metadata


def _build_items(random: Random, conversation: Conversation, now_ns: int, items_per: float) -> list[Item]:
    items: list[Item] = []
    for data in random_items(random, _item_count(random, items_per)):
        now_ns += random.getrandbits(35)  # nanoseconds, half a minute at most
        item_id = ids.compose_id(item_id_prefix(data["type"]), nanoseconds=now_ns, bits=random.getrandbits(128))
        items.append(
            Item.build(
                conversation,
                position=len(items) + 1,
                data={**data, "id": item_id},
                created_at=ids.created_at(item_id),
            )
        )
    return items


def _item_count(random: Random, mean: float) -> int:
    """Return a geometrically distributed number: many conversations are short, a few are long."""
    return int(log(1 - random.random()) / log(mean / (mean + 1))) if mean else 0


class Command(BaseCommand):
    help = "Stores made-up conversations of users seed-0001, seed-0002, …, always the same for the same seed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--conversations", type=_count, required=True, metavar="N", help="how many to add")
        parser.add_argument(
            "--items-per", type=_average, default=4.0, metavar="M", help="average items per conversation (4)"
        )
        parser.add_argument(
            "--seed", type=int, default=1, metavar="S", help="an integer; another seed adds other conversations (1)"
        )
        parser.add_argument(
            "--start",
            type=_start,
            default=date(2026, 1, 1),
            metavar="DATE",
            help="spread the conversations over the 365 days before this day (2026-01-01)",
        )

    def handle(self, *, conversations: int, items_per: float, seed: int, start: date, **options: Any) -> None:
        self._check_database_is_migrated()
        done = 0
        try:
            for done in seed_conversations(conversations=conversations, items_per=items_per, seed=seed, start=start):
                ending = "\n" if done == conversations else "\r"
                show_progress(self.stderr, f"{done:,} of {conversations:,} conversations", ending=ending)
        except AlreadySeeded as error:
            added = f"{done:,} were added" if done else "Nothing was added"
            raise CommandError(f"Conversations of seed {seed} exist. {added}. Choose another --seed.") from error
        self.stdout.write(f"Added {done:,} conversations.")

    def _check_database_is_migrated(self) -> None:
        try:
            missing = missing_migrations()
        except DatabaseError as error:
            raise CommandError(f"Can't use the database: {' '.join(str(error).split())}") from error
        if missing:
            raise CommandError("The database is not up to date. Run `python manage.py migrate` first.")


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
        raise ArgumentTypeError(f"{text!r} is not a date such as 2026-01-01") from error
    if not EARLIEST_START <= start <= LATEST_START:
        raise ArgumentTypeError(f"must be from {EARLIEST_START} to {LATEST_START}")
    return start


if __name__ == "__main__":
    Command().run_from_argv(["python -m", "tests.seed", *sys.argv[1:]])
