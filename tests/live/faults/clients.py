"""Clients that write and read while a fault happens: OpenAI's official one with its retries, and probes without any."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import Any

import httpx2
from openai import APIError, APIStatusError, OpenAI

from tests.live.client import Client, user_message
from tests.live.faults.ledger import Append, History, OwnConversation, Read

RETRIES = 8
PAUSE = 0.05  # seconds between two rounds of a client
PROBE_PAUSE = 0.2
EXPECTED = {200, 409, 503}  # Other statuses are wrong answers, because every request is valid.
CREATED_ITEMS, APPENDED_ITEMS = 4, 3


class RecordingTransport(httpx2.HTTPTransport):
    """Counts what each request of a client met, retries included."""

    def __init__(self) -> None:
        super().__init__()
        self.outcomes: Counter[str] = Counter()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        try:
            response = super().handle_request(request)
        except httpx2.TransportError as error:
            self.outcomes["no connection" if isinstance(error, httpx2.ConnectError) else "no answer"] += 1
            raise
        self.outcomes[str(response.status_code)] += 1
        self.outcomes["replayed"] += "idempotency-replayed" in response.headers
        return response


class ClientThread(threading.Thread):
    """A client that repeats `work` until it is stopped."""

    def __init__(self, base_url: str, secret: str) -> None:
        super().__init__(daemon=True)
        self.transport = RecordingTransport()
        self.acknowledged = 0
        self.failures: Counter[str] = Counter()  # errors after all retries
        self.wrong_answers: list[str] = []
        self._is_stopping = threading.Event()
        http_client = httpx2.Client(transport=self.transport, timeout=60)
        self.client = OpenAI(base_url=base_url, api_key=secret, http_client=http_client, max_retries=RETRIES)

    def run(self) -> None:
        with self.client:
            while not self._is_stopping.wait(PAUSE):
                try:
                    self.work()
                except APIError as error:
                    self.failures[type(error).__name__] += 1
                    if isinstance(error, APIStatusError) and error.status_code not in EXPECTED:
                        self.wrong_answers.append(str(error))

    def stop(self) -> None:
        self._is_stopping.set()

    def work(self) -> None:
        raise NotImplementedError


class Writer(ClientThread):
    """A client that writes conversations of its own and appends to the shared histories.

    Creates always have an Idempotency-Key, and the other writes if `has_key`. The server recognizes their retries too.
    """

    def __init__(
        self, base_url: str, secret: str, *, name: str, run: str, histories: list[History], has_key: bool
    ) -> None:
        super().__init__(base_url, secret)
        self.own: list[OwnConversation] = []
        self._name, self._run, self._histories = name, run, histories
        self._creator = self.client.copy()
        self._creator._idempotency_header = "Idempotency-Key"
        self._writer = self._creator if has_key else self.client
        self._numbers = count()

    def work(self) -> None:
        own = OwnConversation(token=f"{self._name}-{len(self.own)}")
        self.own.append(own)
        append = self._begin_append(own.appends, CREATED_ITEMS)
        items = [user_message(text) for text in append.texts]
        own.id = self._creator.conversations.create(metadata=self._metadata(own), items=items).id
        self._end_append(append)
        added = self._append(own.id, own.appends)
        self._append_to_history()
        own.sent_step += 1
        self._writer.conversations.update(own.id, metadata=self._metadata(own))
        own.step = own.sent_step
        self.acknowledged += 1
        own.deleted_items[added.ids[-1]] = False
        self._writer.conversations.items.delete(added.ids[-1], conversation_id=own.id)
        own.deleted_items[added.ids[-1]] = True
        self.acknowledged += 1
        self._append_to_history()
        if random.random() < 0.3:
            own.is_deletion_sent = True
            self._writer.conversations.delete(own.id)
            own.is_deleted = True
            self.acknowledged += 1

    def _metadata(self, own: OwnConversation) -> dict[str, str]:
        return {"run": self._run, "token": own.token, "step": str(own.sent_step)}

    def _append_to_history(self) -> None:
        history = random.choice(self._histories)
        self._append(history.id, history.appends)

    def _append(self, conversation_id: str, appends: list[Append]) -> Append:
        append = self._begin_append(appends, APPENDED_ITEMS)
        items = [user_message(text) for text in append.texts]
        added = self._writer.conversations.items.create(conversation_id, items=items)
        append.ids = [item.id for item in added.data]
        self._end_append(append)
        return append

    def _begin_append(self, appends: list[Append], number: int) -> Append:
        texts = [f"{self._name} {next(self._numbers)}" for _ in range(number)]
        append = Append(texts, started_at=time.monotonic())
        appends.append(append)
        return append

    def _end_append(self, append: Append) -> None:
        append.acknowledged_at = time.monotonic()
        self.acknowledged += 1


class Reader(ClientThread):
    """A client that reads a history from its beginning, with pages of any size, again and again."""

    def __init__(self, base_url: str, secret: str, *, histories: list[History]) -> None:
        super().__init__(base_url, secret)
        self._histories = histories

    def work(self) -> None:
        history = random.choice(self._histories)
        read = Read(started_at=time.monotonic(), ids=[], is_complete=False)
        history.reads.append(read)
        page = self.client.conversations.items.list(history.id, order="asc", limit=random.randint(10, 100))
        read.ids += (item.id for item in page)
        read.is_complete = True


class Follower(ClientThread):
    """A client that reads what is new in a history, by `after`, and never what it has."""

    def __init__(self, base_url: str, secret: str, *, history: History) -> None:
        super().__init__(base_url, secret)
        self._history = history
        self._ids: list[str] = []

    def work(self) -> None:
        started_at = time.monotonic()
        after: dict[str, Any] = {"after": self._ids[-1]} if self._ids else {}
        page = self.client.conversations.items.list(self._history.id, order="asc", limit=20, **after)
        self._ids += (item.id for item in page.data)
        if not page.has_more:
            self._history.reads.append(Read(started_at, self._ids.copy(), is_complete=True))


class Probe(threading.Thread):
    """A client that appends to a history at intervals and never retries, to see when the service answers again."""

    def __init__(self, port: int, secret: str, *, name: str, history: History) -> None:
        super().__init__(daemon=True)
        self.outcomes: list[tuple[float, int]] = []  # when each request ended, with the status or 0
        self.acknowledged = 0
        self._name, self._history = name, history
        self._connect: Callable[[], Client] = lambda: Client(port, secret)
        self._is_stopping = threading.Event()

    def run(self) -> None:
        client = self._connect()
        for number in count():
            if self._is_stopping.wait(PROBE_PAUSE):
                break
            append = Append([f"{self._name} {number}"], started_at=time.monotonic())
            self._history.appends.append(append)
            try:
                status, answer = client.post(
                    f"/conversations/{self._history.id}/items", items=[user_message(append.texts[0])]
                )
            except (OSError, http.client.HTTPException):
                status = 0
                client.close()
                client = self._connect()
            if status == 200:
                append.ids, append.acknowledged_at = [item["id"] for item in answer["data"]], time.monotonic()
                self.acknowledged += 1
            self.outcomes.append((time.monotonic(), status))
        client.close()

    def stop(self) -> None:
        self._is_stopping.set()

    def has_recovered(self, since: float) -> bool:
        """Whether the last requests, all of them after this time, were successful."""
        last = self.outcomes[-3:]
        return len(last) == 3 and all(ended_at > since and status == 200 for ended_at, status in last)

    def recovered_at(self, since: float) -> float:
        """Return when the first request after the last failing one was answered. A request may last from before."""
        outcomes = [(ended_at, status) for ended_at, status in self.outcomes if ended_at > since]
        failures = [number for number, (_, status) in enumerate(outcomes) if status != 200]
        return outcomes[failures[-1] + 1 if failures else 0][0]
