"""How fast normal requests are while many other clients are slow or silent.

    DATABASE_URL=postgres://… SECRET_KEY=x .venv/bin/python -m tests.benchmarks.slow_clients --slow 500 --silent 500

A slow client sends the headers of a request and a byte of its body per second, a silent one nothing at all or nothing
after the headers. Every other one of both has a valid key.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks import wrk
from tests.benchmarks.services import ConversationService
from tests.benchmarks.workloads import WORKLOADS
from tests.live.nginx import running_nginx

NAMES = ("create, 1 item", "retrieve", "list 20 of 20")
SECONDS_TO_CONNECT = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slow", type=int, default=500)
    parser.add_argument("--silent", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=10, help="per run")
    parser.add_argument("--nginx", action="store_true", help="connect through nginx with the documented site")
    arguments = parser.parse_args()
    service = ConversationService()
    service.start()
    with contextlib.ExitStack() as stack:
        stack.callback(service.stop)
        port = service.port
        if arguments.nginx:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            port = stack.enter_context(running_nginx(directory, service_port=port))
        for slow, silent in ((0, 0), (arguments.slow, arguments.silent)):
            print(f"{slow} slow and {silent} silent clients")
            with connected(port, service.secret, slow=slow, silent=silent):
                measure(service, port, arguments.seconds)


def measure(service: ConversationService, port: int, seconds: float) -> None:
    for workload in WORKLOADS:
        if workload.name in NAMES:
            service.prepare(workload)
            ids = service.group(workload).ids if workload.size else [""]
            requests = [workload.request(conversation_id) for conversation_id in ids]
            timing = wrk.run(port, requests, secret=service.secret, seconds=seconds)
            latency = f"p50 {timing.p50:6.1f} ms, p99 {timing.p99:6.1f} ms"
            print(f"{workload.name:16} {timing.rate:6.0f} per second, {latency}, {timing.failed} failed", flush=True)


@contextlib.contextmanager
def connected(port: int, secret: str, *, slow: int, silent: int) -> Iterator[None]:
    """Keep so many slow and silent clients connected until the end of the block."""
    process = multiprocessing.Process(target=run_clients, args=(port, secret, slow, silent))
    process.start()
    try:
        time.sleep(SECONDS_TO_CONNECT)
        yield
    finally:
        process.kill()
        process.join()


def run_clients(port: int, secret: str, slow: int, silent: int) -> None:
    async def run() -> None:
        clients = [(secret if number % 2 else "", b" ") for number in range(slow)]
        clients += [(secret if number % 2 else "", b"") for number in range(silent)]
        await asyncio.gather(*(reconnect(port, *client) for client in clients))

    asyncio.run(run())


async def reconnect(port: int, secret: str, part: bytes) -> None:
    """Connect again and again, and send a part of a body per second. Without a key and a part, send nothing at all."""
    key = f"Authorization: Bearer {secret}\r\n" if secret else ""
    head = f"POST /v1/conversations HTTP/1.1\r\nHost: localhost\r\n{key}Content-Length: 1000\r\n\r\n"
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head.encode() if key or part else b"")
            response = asyncio.create_task(reader.read(1))
            while not response.done():
                writer.write(part)
                await asyncio.wait([response], timeout=1)
            writer.close()
            response.result()  # raises the error of a connection that the server closed
        await asyncio.sleep(1)


if __name__ == "__main__":
    main()
