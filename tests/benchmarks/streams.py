"""How fast normal requests are, and how much memory streams take, while many model calls stream their answers.

    DATABASE_URL=postgres://… SECRET_KEY=x .venv/bin/python -m tests.benchmarks.streams --streams 300 --seconds 30

The upstream is a process of its own, which sends ten events per second in each stream.
"""

import argparse
import asyncio
import json
import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import uvicorn

from tests.benchmarks.machine import session_processes
from tests.benchmarks.services import ConversationService
from tests.benchmarks.slow_clients import measure
from tests.live.client import Client
from tests.live.service import free_port
from tests.responses.fake_upstream import STREAM_HEADERS, FakeUpstream, stream_events

EVENTS_PER_SECOND = 10
RUNS = 3  # workloads that `measure` runs, one after the other
SECONDS_TO_CONNECT = 5


class PacedUpstream(FakeUpstream):
    """An upstream whose streams take a number of seconds."""

    def __init__(self, port: int, seconds: float) -> None:
        super().__init__()
        self.port, self.seconds = port, seconds

    async def _stream(self, body: dict[str, Any], send: Any) -> None:
        self.requests.clear()  # Otherwise their bodies would fill the memory.
        await send({"type": "http.response.start", "status": 200, "headers": STREAM_HEADERS})
        *events, last = stream_events(body)
        delta = next(event for event in events if b"output_text.delta" in event)
        paced = [*events, *[delta] * round(self.seconds * EVENTS_PER_SECOND)]
        for event in paced:
            await send({"type": "http.response.body", "body": event, "more_body": True})
            await asyncio.sleep(self.seconds / len(paced))
        await send({"type": "http.response.body", "body": last})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=30, help="of each stream")
    arguments = parser.parse_args()
    port = free_port()
    upstream = multiprocessing.Process(target=run_upstream, args=(port, arguments.seconds))
    upstream.start()
    service = ConversationService()
    service.variables = {**service.variables, "CONVERSATIONS_UPSTREAM_URL": f"http://127.0.0.1:{port}/v1"}
    service.start()
    try:
        seconds = max(int((arguments.seconds - SECONDS_TO_CONNECT) / RUNS) - 1, 1)
        print("Without streams")
        measure(service, service.port, seconds)
        before = memory_of(service)
        print(f"{arguments.streams} streams of {arguments.seconds:g} seconds")
        with streaming(service, arguments.streams):
            measure(service, service.port, seconds)
            memory = memory_of(service) - before
            print(f"memory of a stream: {memory / arguments.streams / 1024:.0f} KiB")
    finally:
        service.stop()
        upstream.kill()


def run_upstream(port: int, seconds: float) -> None:
    uvicorn.run(PacedUpstream(port, seconds), port=port, lifespan="off", log_config=None, log_level="critical")


def memory_of(service: ConversationService) -> int:
    return sum(process.memory for process in session_processes(service.session))


@contextmanager
def streaming(service: ConversationService, count: int) -> Iterator[None]:
    """Stream answers to as many conversations during the block. At its end, print how many were received and stored."""
    with closing(Client(service.port, service.secret)) as client:
        ids = [client.post("/conversations")[1]["id"] for _ in range(count)]
    with ThreadPoolExecutor(1) as executor:
        begin = time.monotonic()
        received = executor.submit(lambda: asyncio.run(stream_all(service, ids)))
        time.sleep(SECONDS_TO_CONNECT)
        yield
        complete = received.result()
        print(f"received {complete} of {count} streams in {time.monotonic() - begin:.1f} s", flush=True)
    with closing(Client(service.port, service.secret)) as client:
        stored = sum(len(client.get(f"/conversations/{each}/items")[1]["data"]) == 2 for each in ids)
    print(f"stored {stored} of {count} turns")


async def stream_all(service: ConversationService, ids: list[str]) -> int:
    """Return the number of streams that were received to their end."""
    return sum(await asyncio.gather(*(stream(service, each) for each in ids)))


async def stream(service: ConversationService, conversation_id: str) -> bool:
    body = json.dumps({"model": "echo", "stream": True, "conversation": conversation_id, "input": "hello"}).encode()
    head = (
        f"POST /v1/responses HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {service.secret}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port + 1)
    writer.write(head.encode() + body)
    answer = await reader.read(-1)
    writer.close()
    return b"event: response.completed" in answer


if __name__ == "__main__":
    main()
