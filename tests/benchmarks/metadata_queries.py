"""How long a page of conversations takes under each kind of condition, beside the page without any.

    DATABASE_URL=postgres://… SECRET_KEY=x python -m tests.benchmarks.metadata_queries 100000 10000000

makes a database of each size at that server, keeps it for the next run, and prints a table for each: milliseconds of a
page of 20, the worst of those for all owners, the largest and a small one, newest and oldest first; how much the 95th
percentile is above that of the page without condition; the median as a multiple of the smallest size's; and what the
statements read. Then pages deep in the list, suggestions, and creating with metadata. For figures that can be
trusted the machine must have nothing else to do. `--only 'eq rare'` measures pages under conditions of which one is so
called, and nothing else.
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

from django.db import connection  # noqa: E402

from conversations.models import APIKey, Conversation, ConversationQuerySet, MetadataPair  # noqa: E402
from conversations.schema.query.nodes import EVERYTHING, And, MetadataCondition, Query  # noqa: E402
from tests.benchmarks.loading import create_database, load, owner_of_rank  # noqa: E402
from tests.live.service import Service  # noqa: E402
from tests.plans import capture_statements, plan_steps  # noqa: E402

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
    above: float  # the 95th percentile, less that of what it was timed in turn with
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
    gc.freeze()  # as in a worker of the service
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
    def chosen(queries: dict[str, Query]) -> Iterator[tuple[str, Query]]:
        for name, query in queries.items():
            if only is None or not set(only).isdisjoint(name.split(", ")):
                yield name, query

    scopes = [None, owner_of_rank(1), owner_of_rank(500)]
    newest_and_oldest = [(owner, order, None) for owner in scopes for order in ("desc", "asc")]
    for name, query in chosen({"no condition": EVERYTHING} | SINGLE | PAIRS):
        yield name, _worst(_page_figures(*case, query, runs) for case in newest_and_oldest)
    middle = Conversation.objects.order_by("pk")[Conversation.objects.count() // 2].pk
    for name, query in chosen({"no condition": EVERYTHING} | SINGLE):
        yield f"{name}, from the middle", _worst(_page_figures(owner, "desc", middle, query, runs) for owner in scopes)


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
        each = [lambda s=s, c=column, p=pairs: s.filter(**p).suggestions(c, prefix="", limit=20) for s in scopes]
        name = f"suggested {column}s {' '.join(pairs.values())}".strip()
        yield name, _worst(_figures(call, empty, runs) for call in each)


def _figures(call: Callable[[], object], other: Callable[[], object], runs: int) -> Figures:
    with capture_statements() as statements:
        call()
    times, of_other = [], []
    for _ in range(runs):
        of_other.append(_timed(other))
        times.append(_timed(call))
    read = {step for statement in statements for step in plan_steps(*statement)}
    return Figures(median(times), _p95(times), _p95(times) - _p95(of_other), read)


def _worst(cases: Iterator[Figures]) -> Figures:
    p50, p95, above, read = zip(*cases, strict=True)
    return Figures(max(p50), max(p95), max(above), set().union(*read))


def _timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1000


def _p95(times: list[float]) -> float:
    return quantiles(times, n=20)[-1]


def _compare_creates(runs: int = 400) -> None:
    """Over HTTP from a service on this database, in turn."""
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
                answer = client.getresponse()
                assert answer.status == 200, answer.read()
                return json.loads(answer.read())

            created: list[str] = []

            def create(body: str) -> None:
                created.append(send("POST", "", body)["id"])

            times = [[_timed(lambda body=body: create(body)) for body in bodies] for _ in range(runs)]
            without, with_four = (median(each) for each in zip(*times, strict=True))
            for conversation_id in created:  # of which so many at once would tell in the next run
                send("DELETE", f"/{conversation_id}")
        finally:
            service.kill()
    print(f"\ncreate: {without:.2f} ms, with 4 pairs {with_four:.2f} ms: x {with_four / without:.2f}", flush=True)


if __name__ == "__main__":
    main()
