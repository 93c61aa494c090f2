"""Disk usage of items on PostgreSQL: measured on a sample, computed for 100 million.

    DATABASE_URL=postgres://… SECRET_KEY=x .venv/bin/python -m tests.benchmarks.table_sizes --items 10000000

creates a database `…_sizes` on that server, as a superuser, and fills it in the order in which a service would: a
thousand conversations at a time, each of ten items and four metadata pairs, and each item a message of about 500
characters. It prints the size of each table and index, the bytes per row and the size at 100 million items, and drops
the database. Ten million items take 25 GB, half of it for full-text search.
"""

import argparse
import os
from itertools import accumulate
from random import Random

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django
import orjson

django.setup()

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection

from conversations.models import Conversation, Item, ItemText, MetadataPair
from conversations.schema.items import validate_items

COMPUTED = 100_000_000
BATCH = 100_000  # items
CHARACTERS = 500
VOCABULARY, TEXTS = 50_000, 20_000  # number of distinct words, and of distinct texts

# Items are a tenth of a second apart. The first 1,000 of each 10,000 begin a conversation each, and the others are
# appended to these in turn.
ITEMS = """
    CREATE FUNCTION sample_id(prefix text, n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
        SELECT prefix || to_hex(1767225600 + n / 10) || lpad(to_hex(n % 10 * 100000000), 8, '0') || md5(n::text)
    $$;
    CREATE FUNCTION sample_items(first bigint, last bigint)
        RETURNS TABLE (n bigint, conversation_id text, "position" bigint, at timestamptz) LANGUAGE sql STABLE AS $$
        SELECT n, sample_id('conv_', n / 10000 * 10000 + n % 1000), n / 1000 % 10 + 1, to_timestamp(1767225600 + n / 10)
        FROM generate_series(first, last) n
    $$;
"""
INSERTS = {
    Conversation: """
        INSERT INTO conversations_conversation
            (id, owner_id, created_at, metadata, item_count, last_position, last_item_at)
        SELECT conversation_id, %(owner)s, at, format(
            '{"tenant":"tenant-%%s","channel":"web","plan":"enterprise","order_id":"order-%%s"}',
            n %% 1000, left(md5(n::text), 16)
        )::json, 10, 10, at
        FROM sample_items(%(first)s, %(last)s) WHERE position = 1
    """,
    MetadataPair: """
        INSERT INTO conversations_metadatapair (conversation_id, owner_id, key, value)
        SELECT conversation_id, %(owner)s, pair.key, pair.value
        FROM sample_items(%(first)s, %(last)s), LATERAL (VALUES
            ('tenant', 'tenant-' || lpad((n %% 1000)::text, 4, '0')),
            ('channel', (ARRAY['web', 'app', 'mail'])[1 + n %% 3]),
            ('plan', (ARRAY['free', 'team', 'enterprise'])[1 + n / 7 %% 3]),
            ('order_id', 'order-' || left(md5(n::text), 16))
        ) pair (key, value) WHERE position = 1
    """,
    Item: """
        INSERT INTO conversations_item (conversation_id, position, item_id, type, data, created_at)
        SELECT conversation_id, position, sample_id('msg_', n), 'message',
            replace(sample.data, 'msg_', sample_id('msg_', n))::json, at
        FROM sample_items(%(first)s, %(last)s) JOIN sample ON sample.number = n %% %(texts)s ORDER BY n
    """,
    ItemText: """
        INSERT INTO conversations_itemtext (conversation_id, position, words)
        SELECT conversation_id, position, words
        FROM sample_items(%(first)s, %(last)s) JOIN sample ON sample.number = n %% %(texts)s ORDER BY n
    """,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=10_000_000)
    parser.add_argument("--without-texts", action="store_true", help="as with CONVERSATIONS_FULL_TEXT = False")
    arguments = parser.parse_args()
    name = f"{connection.settings_dict['NAME']}_sizes"
    _execute_outside(f"CREATE DATABASE {name}")
    connection.close()
    connection.settings_dict["NAME"] = name
    models = [Conversation, MetadataPair, Item, *([] if arguments.without_texts else [ItemText])]
    try:
        call_command("migrate", verbosity=0)
        _fill(models, arguments.items)
        _print_sizes(models, arguments.items)
    finally:
        connection.close()
        _execute_outside(f"DROP DATABASE {name}")


def _execute_outside(statement: str) -> None:
    with connection._nodb_cursor() as cursor:
        cursor.execute(statement)


def _fill(models: list[type], count: int) -> None:
    owner = get_user_model()._default_manager.create(username="sample")
    with connection.cursor() as cursor:
        cursor.execute(ITEMS)
        cursor.execute("CREATE TABLE sample (number int, data text, words text)")
        cursor.executemany("INSERT INTO sample VALUES (%s, %s, %s)", _texts())
        cursor.execute("ANALYZE sample")
        # Foreign key checks and an index of words built row by row would take time without changing the sizes.
        cursor.execute("SET session_replication_role = replica; SET synchronous_commit = off")
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'conversations_itemtext_words'")
        [words_index] = cursor.fetchone()
        cursor.execute("DROP INDEX conversations_itemtext_words")
        for first in range(0, count, BATCH):
            batch = {"first": first, "last": min(first + BATCH, count) - 1, "owner": owner.pk, "texts": TEXTS}
            for model in models:
                cursor.execute(INSERTS[model], batch)
            print(f"\r{batch['last'] + 1:,} of {count:,} items", end="", flush=True)
        print()
        cursor.execute(words_index)
        cursor.execute("VACUUM ANALYZE")


def _texts() -> list[tuple[int, str, str]]:
    random = Random(1)
    words = ["".join(random.choices("aeioulnrstdkmp", k=random.randint(2, 11))) for _ in range(VOCABULARY)]
    weights = list(accumulate(1 / rank for rank in range(1, VOCABULARY + 1)))  # by Zipf's law
    texts = []
    for number in range(TEXTS):
        text = " ".join(random.choices(words, cum_weights=weights, k=CHARACTERS // 4))[:CHARACTERS]
        [data] = validate_items([{"id": "msg_", "role": ("user", "assistant")[number % 2], "content": text}])
        item_text = ItemText.build(Item(conversation_id="conv_", position=1, type="message", data=data))
        texts.append((number, orjson.dumps(data).decode(), item_text.words))
    return texts


def _print_sizes(models: list[type], items: int) -> None:
    print(f"\n| | rows | bytes per row | at {items:,} items | at {COMPUTED:,} items |\n|---|---|---|---|---|")
    total = 0
    for model in models:
        rows = model._default_manager.count()
        for name, size in _sizes(model._meta.db_table):
            total += size
            _print_row(name, rows, size, items)
    _print_row("together", items, total, items)


def _sizes(table: str) -> list[tuple[str, int]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT %s, pg_table_size(%s) UNION ALL (SELECT indexrelid::regclass::text, pg_relation_size(indexrelid) "
            "FROM pg_index WHERE indrelid = %s::regclass ORDER BY 2 DESC)",
            [table, table, table],
        )
        return cursor.fetchall()


def _print_row(name: str, rows: int, size: int, items: int) -> None:
    cells = (f"{rows:,}", f"{size / rows:.0f}", _gigabytes(size), _gigabytes(size * COMPUTED / items))
    print("|", " | ".join((name, *cells)), "|")


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.2f} GB"


if __name__ == "__main__":
    main()
