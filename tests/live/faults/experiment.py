"""One fault under load: what clients wrote before, during and after it, compared with what is stored."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.db import connections

from conversations.models import Conversation, MetadataPair
from tests.live.client import Client
from tests.live.faults.clients import ClientThread, Follower, Probe, Reader, Writer
from tests.live.faults.injection import Fault, Site
from tests.live.faults.ledger import (
    DOUBLED,
    HALF_WRITTEN,
    LOST,
    MISREAD,
    History,
    Problem,
    StoredConversation,
    StoredItem,
    check_answer,
    check_history,
    check_own,
)
from tests.live.service import WORKERS
from tests.waiting import wait_until

THREADS = 4 * WORKERS  # of the service, each with a database connection of its own
WRITERS = 3  # with an Idempotency-Key, and as many without
SETTLING_SECONDS = 1  # of load before the fault, and after the recovery
WRONG_ANSWER = "wrong answer"
KINDS = (LOST, DOUBLED, HALF_WRITTEN, MISREAD)


@dataclass
class Row:
    """The results of a fault on one database."""

    fault: str
    store: str
    acknowledged: int = 0
    recovery_seconds: float = 0.0  # from the end of the fault, or from a kill, until every probe was answered
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)

    def __add__(self, other: Row) -> Row:
        return Row(
            self.fault,
            self.store,
            self.acknowledged + other.acknowledged,
            max(self.recovery_seconds, other.recovery_seconds),
            self.outcomes + other.outcomes,
            self.failures + other.failures,
            self.problems + other.problems,
        )

    @property
    def cells(self) -> list[str]:
        kinds = Counter(problem.kind for problem in self.problems)
        outcomes = [f"{outcome}: {number}" for outcome, number in sorted(self.outcomes.items()) if number]
        failures = [f"{error} after all retries: {number}" for error, number in sorted(self.failures.items())]
        seen = ", ".join(outcomes + failures)
        numbers = [self.acknowledged, *(kinds[kind] for kind in KINDS)]
        return [self.fault, self.store, *map(str, numbers), f"{self.recovery_seconds:.1f}", seen]


HEADINGS = ["fault", "database", "acknowledged", *KINDS, "seconds to recover", "what clients saw"]


def run(fault: Fault, site: Site, *, secret: str, number: int) -> Row:
    """Let clients write and read while the fault happens, until every one of them is answered again."""
    run_name = f"{number}-{fault.name}"
    api = Client(site.proxy.port, secret)
    histories = [History(_create_history(api, run_name)) for _ in range(2)]
    api.close()
    base_url = f"http://127.0.0.1:{site.proxy.port}/v1"
    writers = [
        Writer(base_url, secret, name=f"w{index}", run=run_name, histories=histories, has_key=index % 2 == 0)
        for index in range(2 * WRITERS)
    ]
    clients: list[ClientThread] = [
        *writers,
        Reader(base_url, secret, histories=histories),
        *(Follower(base_url, secret, history=history) for history in histories),
    ]
    probes = [Probe(site.proxy.port, secret, name=f"p{n}", history=histories[n % 2]) for n in range(THREADS)]
    for thread in (*clients, *probes):
        thread.start()
    wait_until(lambda: all(probe.has_recovered(since=0) for probe in probes))
    time.sleep(SETTLING_SECONDS)
    ended_at = fault.inject(site)
    since = time.monotonic()
    wait_until(lambda: all(probe.has_recovered(since) for probe in probes))
    time.sleep(SETTLING_SECONDS)
    for thread in (*clients, *probes):
        thread.stop()
    for thread in (*clients, *probes):
        thread.join()

    row = Row(fault.name, site.store.name)
    row.acknowledged = sum(thread.acknowledged for thread in (*clients, *probes))
    row.recovery_seconds = max(probe.recovered_at(ended_at) for probe in probes) - ended_at
    for client in clients:
        row.outcomes += client.transport.outcomes
        row.failures += client.failures
        row.problems += (Problem(WRONG_ANSWER, answer) for answer in client.wrong_answers)
    row.problems += _compare(site, secret, run_name, writers=writers, histories=histories)
    return row


def _create_history(api: Client, run_name: str) -> str:
    status, conversation = api.post("/conversations", metadata={"run": run_name, "token": "history", "step": "0"})
    assert status == 200, conversation
    return conversation["id"]


def _compare(
    site: Site, secret: str, run_name: str, *, writers: list[Writer], histories: list[History]
) -> Iterator[Problem]:
    stored = {conversation.id: conversation for conversation in _read_stored(site.store.name, run_name)}
    by_token: dict[str, list[StoredConversation]] = {}
    for conversation in stored.values():
        by_token.setdefault(conversation.metadata["token"], []).append(conversation)
    for history in histories:
        yield from check_history(history, stored.get(history.id))
    for own in (own for writer in writers for own in writer.own):
        yield from check_own(own, by_token.get(own.token, []))
    api = Client(site.service.port, secret)
    for conversation in stored.values():
        status, answer = api.get(f"/conversations/{conversation.id}")
        if status != 200:
            yield Problem(MISREAD, f"the API answers {status} for {conversation.id}")
            continue
        yield from check_answer(conversation, ids=_read_ids(api, conversation.id), metadata=answer["metadata"])
    api.close()


def _read_ids(api: Client, conversation_id: str) -> list[str]:
    ids: list[str] = []
    has_more = True
    while has_more:
        after = f"&after={ids[-1]}" if ids else ""
        _, page = api.get(f"/conversations/{conversation_id}/items?order=asc&limit=100{after}")
        ids += [item["id"] for item in page["data"]]
        has_more = page["has_more"]
    return ids


def _read_stored(alias: str, run_name: str) -> Iterator[StoredConversation]:
    ids = MetadataPair.objects.using(alias).filter(key="run", value=run_name).values("conversation")
    conversations = Conversation.objects.using(alias).filter(pk__in=ids)
    for conversation in conversations.prefetch_related("items", "metadata_pairs"):
        items = sorted(conversation.items.all(), key=lambda item: item.position)
        yield StoredConversation(
            conversation.pk,
            conversation.metadata,
            {pair.key: pair.value for pair in conversation.metadata_pairs.all()},
            conversation.item_count,
            conversation.last_position,
            [StoredItem(item.position, item.item_id, item.data["content"][0]["text"]) for item in items],
        )
    connections[alias].close()
