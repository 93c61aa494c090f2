"""The latency of each page of the admin, from the request to the last byte of HTML.

    DATABASE_URL=postgres://… SECRET_KEY=x .venv/bin/python -m tests.benchmarks.admin_pages 1000000

creates a database of this size on that server, with four items per conversation on average, keeps it for the next run,
and prints a table: milliseconds of 20 runs after a first one, the CPU time of this process in each, the number of
queries, and the longest statement of one run. Transcripts of 5,000 items and the duration of `refresh_overview
--rebuild` follow. The machine should have nothing else to do.
"""

import argparse
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from statistics import median, quantiles

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from django.contrib.admin.utils import quote
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from conversations.models import Conversation, Item, OverviewFigure, Preferences, SavedView
from conversations.schema.items import validate_items
from tests.admin_pages import PREVIEWS, add_other_rows, list_pages, other_pages, transcript_pages
from tests.benchmarks.loading import analyze, create_database, load, owner_of_rank

OTHERS = 100_000
ITEMS = 5_000
CHARACTERS = (600, 20_000)  # per item of a long conversation
SLOW = 3_000  # milliseconds; slower pages are measured three times only
WITH_PREVIEWS = ("plain", "deep", "is, common", "largest owner", "text, frequent")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("conversations", type=int)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--only", default="", metavar="TEXT", help="pages with this in their name")
    arguments = parser.parse_args()
    create_database(f"{connection.settings_dict['NAME']}_{arguments.conversations}")
    load(arguments.conversations, items_per=4)
    _add_rows_of_other_pages()
    Preferences.objects.all().delete()  # An earlier run may have left some.
    print(f"\n{connection.vendor}, {Conversation.objects.count():,} conversations, {Item.objects.count():,} items\n")
    print("| page | p50 | p95 | CPU | queries | longest statement |\n|---|---|---|---|---|---|")
    _print_pages({**list_pages(), **other_pages(), **transcript_pages(), **_long_transcripts()}, arguments)
    pages = list_pages()
    with_previews = {f"previews and metadata columns, {name}": pages[f"list: {name}"] for name in WITH_PREVIEWS}
    _print_pages(with_previews, arguments, columns=PREVIEWS)
    if not arguments.only:
        start = time.perf_counter()
        call_command("refresh_overview", rebuild=True, verbosity=0)
        print(f"\nrefresh_overview --rebuild: {time.perf_counter() - start:.0f} s")
        start = time.perf_counter()
        call_command("refresh_overview", verbosity=0)
        print(f"refresh_overview with nothing new: {time.perf_counter() - start:.1f} s", flush=True)


def _add_rows_of_other_pages() -> None:
    user, _is_new = get_user_model()._default_manager.get_or_create(
        username="admin", defaults={"is_staff": True, "is_superuser": True}
    )
    if not SavedView.objects.exists():
        add_other_rows(user, owner_of_rank(2), count=OTHERS)
        for characters in CHARACTERS:
            _add_long_conversation(characters)
        analyze()
    if not OverviewFigure.objects.exists():
        call_command("refresh_overview")


def _add_long_conversation(characters: int) -> None:
    """Create a conversation of questions, calls, outputs and answers, each of this length."""
    text = ("Where is my order? **It** should have been `here`.\n\n" * (characters // 50 + 1))[:characters]
    conversation = Conversation.objects.create_with_items(owner=owner_of_rank(3), metadata={"long": str(characters)})
    for turn in range(ITEMS // 4):
        call = {"call_id": f"call_{turn}"}
        items = [
            {"role": "user", "content": text},
            {"type": "function_call", "name": "find", "arguments": '{"text": "' + "x" * characters + '"}', **call},
            {"type": "function_call_output", "output": text, **call},
            {"role": "assistant", "content": text},
        ]
        conversation.add_items(items=validate_items(items))


def _long_transcripts() -> dict[str, str]:
    pages = {}
    for characters in CHARACTERS:
        conversation = Conversation.objects.get(metadata_pairs__key="long", metadata_pairs__value=str(characters))
        url = reverse("admin:conversations_conversation_change", args=[quote(conversation.pk)])
        item = conversation.items.get(position=ITEMS // 2)
        name = f"{conversation.item_count:,} items of {characters:,}"
        pages |= {
            f"{name}: first": url,
            f"{name}: around an item": f"{url}?item={item.item_id}",
            f"{name}: last": f"{url}?before={ITEMS + 1}",
            f"{name}: raw": f"{url}?view=raw",
            f"{name}: conversation only": f"{url}?view=rendered&show=messages",
        }
    return pages


def _print_pages(pages: Mapping[str, str], arguments: argparse.Namespace, *, columns: str = "") -> None:
    client = Client(HTTP_HOST="localhost")
    client.force_login(get_user_model()._default_manager.get(username="admin"))
    if columns:
        client.get(f"{reverse('admin:conversations_conversation_changelist')}?{columns}")
    for name, url in pages.items():
        if arguments.only in name:
            _print_page(name, url, client, arguments.runs)


def _print_page(name: str, url: str, client: Client, runs: int) -> None:
    first = _measure(client, url)
    cpu = time.process_time()
    times = [_measure(client, url) for _ in range(runs if first < SLOW else 3)]
    cpu = (time.process_time() - cpu) * 1000 / len(times)
    with _record_statements() as statements:
        client.get(url)
    longest, sql = max(statements)
    p95 = quantiles(times, n=20, method="inclusive")[-1]
    cells = (f"{median(times):.0f}", f"{p95:.0f}", f"{cpu:.0f}", str(len(statements)))
    print("|", " | ".join((name, *cells, f"{longest:.0f} ms {_shorten(sql)}")), "|", flush=True)


def _measure(client: Client, url: str) -> float:
    start = time.perf_counter()
    response = client.get(url)
    assert response.status_code == 200, (url, response.status_code)
    return (time.perf_counter() - start) * 1000


@contextmanager
def _record_statements() -> Iterator[list[tuple[float, str]]]:
    statements: list[tuple[float, str]] = []

    def record(execute, sql, params, many, context):
        start = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            statements.append(((time.perf_counter() - start) * 1000, sql))

    with connection.execute_wrapper(record):
        yield statements


def _shorten(sql: str) -> str:
    tables = dict.fromkeys(re.findall(r'(?:FROM|INTO|JOIN|UPDATE) ["`]?(?:conversations_)?(\w+)', sql))
    return f"{sql.split()[0]} {', '.join(tables)}"


if __name__ == "__main__":
    main()
