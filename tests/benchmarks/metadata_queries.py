"""The latency of a page of conversations with each kind of condition, compared with a page without conditions.

    DATABASE_URL=postgres://… SECRET_KEY=x .venv/bin/python -m tests.benchmarks.metadata_queries 100000 10000000

creates a database of each size on that server, keeps it for the next run, and prints a table for each. It has the
latency of a page of 20 in milliseconds (the highest for all owners, the largest and a small owner, newest and oldest
first), the difference of the 95th percentile to the page without conditions, the median as a multiple of the smallest
size's, and the tables and indexes that the statements read. Pages from the middle of the list, suggestions, and
creation with metadata follow. The machine should have nothing else to do. `--only 'eq rare'` measures only pages with
a condition of that name.
"""

import argparse
import gc
import http.client
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from statistics import median, quantiles
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import urlsplit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from django.db import connection

from conversations.models import APIKey, Conversation, ConversationQuerySet, MetadataPair
from conversations.schema.query.nodes import EVERYTHING, And, MetadataCondition, Query
from tests.benchmarks.loading import create_database, load, owner_of_rank
from tests.live.service import Service
from tests.plans import capture_statements, plan_steps

SINGLE: dict[str, Query] = {
    "eq common": MetadataCondition("channel", "eq", ("web",)),
    "eq rare": MetadataCondition("größe", "eq", ("Übermaß",)),
    "eq oldest": MetadataCondition("plan", "eq", ("legacy",)),
    "in common": MetadataCondition("channel", "in", ("web", "app")),
    "in rare": MetadataCondition("注文", "in", ("東京", "京都")),
    "in oldest": MetadataCondition("plan", "in", ("legacy", "classic")),
    "prefix common": MetadataCondition("channel", "prefix", ("w",)),
    "prefix of 100 values": MetadataCondition("tenant", "prefix", ("tenant-00",)),
    "prefix rare": MetadataCondition("order_id", "prefix", ("order-0123",)),
    "prefix oldest": MetadataCondition("plan", "prefix", ("leg",)),
    "exists common": MetadataCondition("tenant", "exists"),
    "exists 1 %": MetadataCondition("escalated", "exists"),
    "exists oldest": MetadataCondition("migrated_from", "exists"),
}
PAIRS: dict[str, Query] = {
    f"{first}, {second}": And((SINGLE[first], SINGLE[second])) for first, second in combinations(SINGLE, 2)
}
FOUR_PAIRS = {"tenant": "acme", "channel": "web", "plan": "team", "order_id": "order-0123456789abcdef"}


class Figures(NamedTuple):
    p50: float  # milliseconds
    p95: float
    above: float  # difference of the 95th percentile to that of the page without conditions
    read: set[str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", type=int, nargs="+", metavar="CONVERSATIONS")
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--only", action="append", choices=("no condition", *SINGLE), metavar="CONDITION")
    arguments = parser.parse_args()
    name = str(connection.settings_dict["NAME"])
    smallest: dict[str, Figures] = {}
    gc.collect()
    gc.freeze()  # As a worker of the service does.
    for size in sorted(arguments.sizes):
        create_database(f"{name}_{size}")
        load(size)
        print(f"\n{connection.vendor}, {size:,} conversations, {MetadataPair.objects.count():,} pairs\n")
        print("| a page of 20 | p50 | p95 | above | x smallest | reads |\n|---|---|---|---|---|---|")
        for condition, figures in _pages(arguments.runs, arguments.only):
            _print(condition, figures, smallest.setdefault(condition, figures))
        if arguments.only:
            continue
        for suggested, figures in _suggestions(arguments.runs):
            _print(suggested, figures, smallest.setdefault(suggested, figures))
        _compare_creates()


def _print(name: str, figures: Figures, smallest: Figures) -> None:
    cells = (f"{figures.p50:.2f}", f"{figures.p95:.2f}", f"{figures.above:+.2f}", f"{figures.p50 / smallest.p50:.2f}")
    print("|", " | ".join((name, *cells, ", ".join(sorted(figures.read)))), "|", flush=True)


def _pages(runs: int, only: list[str] | None) -> Iterator[tuple[str, Figures]]:
    def select(queries: dict[str, Query]) -> Iterator[tuple[str, Query]]:
        for name, query in queries.items():
            if only is None or not set(only).isdisjoint(name.split(", ")):
                yield name, query

    scopes = [None, owner_of_rank(1), owner_of_rank(500)]
    newest_and_oldest = [(owner, order, None) for owner in scopes for order in ("desc", "asc")]
    for name, query in select({"no condition": EVERYTHING} | SINGLE | PAIRS):
        yield name, _highest(_page_figures(*case, query, runs) for case in newest_and_oldest)
    middle = Conversation.objects.order_by("pk")[Conversation.objects.count() // 2].pk
    for name, query in select({"no condition": EVERYTHING} | SINGLE):
        yield (
            f"{name}, from the middle",
            _highest(_page_figures(owner, "desc", middle, query, runs) for owner in scopes),
        )


def _page_figures(owner: Any, order: Any, after: str | None, query: Query, runs: int) -> Figures:
    conversations: ConversationQuerySet = Conversation.objects.all() if owner is None else owner.conversations.all()

    def page(query: Query, after: str | None) -> None:
        conversations.page(limit=20, order=order, after=after, matching=query)

    return _figures(lambda: page(query, after), lambda: page(EVERYTHING, None), runs)


def _suggestions(runs: int) -> Iterator[tuple[str, Figures]]:
    def empty() -> None:
        MetadataPair.objects.filter(key="").suggestions("value", prefix="", limit=20)

    for column, pairs in [("key", {}), ("value", {"key": "channel"}), ("value", {"key": "order_id"})]:
        scopes = [MetadataPair.objects.all(), MetadataPair.objects.visible_to(owner_of_rank(1))]
        calls = [lambda s=s, c=column, p=pairs: s.filter(**p).suggestions(c, prefix="", limit=20) for s in scopes]
        name = f"suggested {column}s {' '.join(pairs.values())}".strip()
        yield name, _highest(_figures(call, empty, runs) for call in calls)


def _figures(call: Callable[[], object], other: Callable[[], object], runs: int) -> Figures:
    with capture_statements() as statements:
        call()
    times, other_times = [], []
    for _ in range(runs):
        other_times.append(_timed(other))
        times.append(_timed(call))
    read = {step for statement in statements for step in plan_steps(*statement)}
    return Figures(median(times), _p95(times), _p95(times) - _p95(other_times), read)


def _highest(cases: Iterator[Figures]) -> Figures:
    p50, p95, above, read = zip(*cases, strict=True)
    return Figures(max(p50), max(p95), max(above), set().union(*read))


def _timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1000


def _p95(times: list[float]) -> float:
    return quantiles(times, n=20)[-1]


def _compare_creates(runs: int = 400) -> None:
    """Create conversations over HTTP, in turn with and without metadata."""
    _, secret = APIKey.create(user=owner_of_rank(2))
    bodies = [json.dumps(body) for body in ({}, {"metadata": FOUR_PAIRS})]
    name = connection.settings_dict["NAME"]
    url = f"sqlite:///{name}"
    if connection.vendor != "sqlite":
        url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
    with tempfile.TemporaryDirectory() as directory:
        service = Service(SimpleNamespace(variables={"DATABASE_URL": url}), Path(directory))
        try:
            service.start()
            client = http.client.HTTPConnection("127.0.0.1", service.port)
            headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}

            def send(method: str, path: str, body: str | None = None) -> Any:
                client.request(method, f"/v1/conversations{path}", body, headers)
                response = client.getresponse()
                assert response.status == 200, response.read()
                return json.loads(response.read())

            created: list[str] = []

            def create(body: str) -> None:
                created.append(send("POST", "", body)["id"])

            times = [[_timed(lambda body=body: create(body)) for body in bodies] for _ in range(runs)]
            without, with_four = (median(column) for column in zip(*times, strict=True))
            for conversation_id in created:  # Several hundred more would change the next run.
                send("DELETE", f"/{conversation_id}")
        finally:
            service.kill()
    print(f"\ncreate: {without:.2f} ms, with 4 pairs {with_four:.2f} ms: x {with_four / without:.2f}", flush=True)


if __name__ == "__main__":
    main()
