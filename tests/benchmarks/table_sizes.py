"""How much room items take on PostgreSQL: measured of a sample, computed for a larger number.

    DATABASE_URL=postgres://… SECRET_KEY=x python -m tests.benchmarks.table_sizes --items 10000000

makes a database `…_sizes` at that server, as a superuser, and fills it in the order in which a service would have:
conversations of ten items and four pairs of metadata, a thousand of them open at a time, each item a message of some
500 characters. It prints the size of each table and index, the bytes of a row, and the size at 100 million items, and
drops the database unless told to --keep it. Ten million items take 20 GB with their texts (see --without-texts), and
half of that on top for what PostgreSQL writes ahead.
"""

import argparse
import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from random import Random
from typing import NamedTuple

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

import orjson  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402

from conversations import ids  # noqa: E402
from conversations.models import Conversation, Item, ItemText, MetadataPair  # noqa: E402
from conversations.schema.items import validate_items  # noqa: E402
from tests.benchmarks.loading import insert  # noqa: E402

COMPUTED = 100_000_000
BATCH = 50_000  # items
ITEMS_OF_EACH = 10
OPEN = 1_000  # conversations that are appended to in turn
CHARACTERS = 500
VOCABULARY, TEXTS = 50_000, 20_000  # words there are, and texts made of them
START_NS, BETWEEN_NS = 1_767_225_600 * 1_000_000_000, 100_000_000


class Message(NamedTuple):
    before: str  # of the item's JSON, up to its id
    after: str
    words: str


Append = tuple[int, "Draft", int, int]  # number, conversation, position, time


class Draft:
    def __init__(self, random: Random, number: int, nanoseconds: int) -> None:
        self.id = ids.id_of(ids.CONVERSATION_PREFIX, nanoseconds=nanoseconds, bits=random.getrandbits(128))
        self.item_count = 0
        self.metadata = {
            "tenant": f"tenant-{number % 1_000:04}",
            "channel": ("web", "app", "email", "phone")[number % 4],
            "plan": ("free", "team", "enterprise")[number % 3],
            "order_id": f"order-{random.getrandbits(64):016x}",
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=10_000_000)
    parser.add_argument("--without-texts", action="store_true", help="as with CONVERSATIONS_FULL_TEXT = False")
    parser.add_argument("--keep", action="store_true", help="leave the database there")
    arguments = parser.parse_args()
    name = f"{connection.settings_dict['NAME']}_sizes"
    connection.close()
    connection.settings_dict["NAME"] = name
    _execute_elsewhere(f"CREATE DATABASE {name}")
    try:
        call_command("migrate", verbosity=0)
        _fill(arguments.items, with_texts=not arguments.without_texts)
        _print_sizes(arguments.items)
    finally:
        connection.close()
        if not arguments.keep:
            _execute_elsewhere(f"DROP DATABASE {name}")


def _execute_elsewhere(statement: str) -> None:
    with connection._nodb_cursor() as cursor:
        cursor.execute(statement)


def _fill(count: int, *, with_texts: bool) -> None:
    owner = get_user_model()._default_manager.create(username="sample")
    random = Random(1)
    messages = _messages(random)
    with connection.cursor() as cursor:
        # Nothing is to be learnt from checks of each row, nor of the index of words that is built row by row.
        cursor.execute("SET session_replication_role = replica; SET synchronous_commit = off")
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'conversations_itemtext_words'")
        [words_index] = cursor.fetchone()
        cursor.execute("DROP INDEX conversations_itemtext_words")
        appends = _appends(random, count)
        while batch := list(islice(appends, BATCH)):
            with transaction.atomic():
                _store(batch, owner.pk, messages, with_texts=with_texts)
            print(f"\r{Item._meta.db_table}: {batch[-1][0]:,} of {count:,}", end="", flush=True)
        print()
        cursor.execute(words_index)
        cursor.execute("VACUUM ANALYZE")


def _messages(random: Random) -> list[Message]:
    words = ["".join(random.choices("aeioulnrstdkmp", k=random.randint(2, 11))) for _ in range(VOCABULARY)]
    weights = [1 / rank for rank in range(1, VOCABULARY + 1)]  # by Zipf's law
    drawn = iter(random.choices(words, weights, k=TEXTS * CHARACTERS // 4))
    messages = []
    for number in range(TEXTS):
        text = ""
        while len(text) < CHARACTERS:
            text += f"{next(drawn)} "
        [data] = validate_items([{"id": "msg_", "role": ("user", "assistant")[number % 2], "content": text.strip()}])
        before, after = orjson.dumps(data).decode().split('"msg_"')
        item_text = ItemText.of(Item(conversation_id="conv_", position=1, type="message", data=data))
        messages.append(Message(before, after, item_text.words))
    return messages


def _appends(random: Random, count: int) -> Iterator[Append]:
    drafts: list[Draft] = []
    for number in range(1, count + 1):
        nanoseconds = START_NS + number * BETWEEN_NS
        place = random.randrange(OPEN)
        if len(drafts) < OPEN:
            place = len(drafts)
            drafts.append(Draft(random, number, nanoseconds))
        elif drafts[place].item_count == ITEMS_OF_EACH:
            drafts[place] = Draft(random, number, nanoseconds)
        draft = drafts[place]
        draft.item_count += 1
        yield number, draft, draft.item_count, nanoseconds


def _store(
    batch: list[tuple[int, Draft, int, int]], owner_id: int, messages: list[Message], *, with_texts: bool
) -> None:
    new = [(draft, _time(nanoseconds)) for _, draft, position, nanoseconds in batch if position == 1]
    insert(Conversation, ((d.id, owner_id, at, orjson.dumps(d.metadata).decode(), 10, 10, at) for d, at in new))
    insert(MetadataPair, ((d.id, owner_id, key, value) for d, _ in new for key, value in d.metadata.items()))
    insert(Item, (_item_row(append, messages) for append in batch))
    if with_texts:
        insert(ItemText, ((number, d.id, position, _of(messages, number).words) for number, d, position, _ in batch))


def _item_row(append: Append, messages: list[Message]) -> tuple[object, ...]:
    number, draft, position, nanoseconds = append
    item_id = ids.id_of("msg_", nanoseconds=nanoseconds, bits=hash((number, draft.id)) & (1 << 63) - 1)
    message = _of(messages, number)
    data = f'{message.before}"{item_id}"{message.after}'
    return number, draft.id, position, item_id, "message", data, _time(nanoseconds)


def _of(messages: list[Message], number: int) -> Message:
    return messages[number % len(messages)]


def _time(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds / 1_000_000_000, tz=UTC)


def _print_sizes(items: int) -> None:
    print(f"\n| | rows | bytes a row | at {items:,} items | at {COMPUTED:,} items |\n|---|---|---|---|---|")
    total = 0
    for model in (Conversation, MetadataPair, Item, ItemText):
        rows = model._default_manager.count()
        for name, size in _sizes(model._meta.db_table):
            total += size
            _print_row(name, rows, size, items)
    _print_row("together", items, total, items)


def _print_row(name: str, rows: int, size: int, items: int) -> None:
    cells = (f"{rows:,}", f"{size / rows:.0f}" if rows else "", _gigabytes(size), _gigabytes(size * COMPUTED / items))
    print("|", " | ".join((name, *cells)), "|")


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.2f} GB"


def _sizes(table: str) -> Iterable[tuple[str, int]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT %s, pg_table_size(%s) UNION ALL (SELECT indexrelid::regclass::text, pg_relation_size(indexrelid) "
            "FROM pg_index WHERE indrelid = %s::regclass ORDER BY 2 DESC)",
            [table, table, table],
        )
        return cursor.fetchall()


if __name__ == "__main__":
    main()
