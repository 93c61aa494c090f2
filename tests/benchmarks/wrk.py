"""One run of wrk: the rate and the latency of requests."""

import json
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("requests.lua")
CONNECTIONS = 16
PREFIX = "/v1"
KEY_PLACEHOLDER = "key_of_this_request"
KEY_HEADER, UNUSED_HEADER = "Idempotency-Key", "Unused-Test-Key"


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    body: str | None = None


@dataclass(frozen=True)
class Timing:
    rate: float  # requests per second
    p50: float  # milliseconds
    p99: float
    requests: int
    failed: int  # responses other than 2xx and 3xx, and requests without a response


def run(
    port: int,
    requests: Sequence[Request],
    *,
    secret: str,
    seconds: float,
    rate: float | None = None,
    key_header: str | None = None,
) -> Timing:
    """Send the requests in turn, again and again, as fast as possible or at `rate` requests per second.

    With `key_header`, each request has a key of its own in a header of this name.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as data:
        data.write(_lua(requests, rate, secret, key_header))
        data.flush()
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--timeout", "30s", "-s", SCRIPT]
        command += [f"http://127.0.0.1:{port}", "--", data.name]
        output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    figures = json.loads(output.splitlines()[-1])
    return Timing(
        rate=figures["requests"] / figures["seconds"],
        p50=figures["p50"],
        p99=figures["p99"],
        requests=figures["requests"],
        failed=figures["refused"] + figures["broken"],
    )


def _lua(requests: Sequence[Request], rate: float | None, secret: str, key_header: str | None) -> str:
    bodies = list(dict.fromkeys(request.body for request in requests if request.body is not None))

    def table(request: Request) -> str:
        body = "nil" if request.body is None else str(bodies.index(request.body) + 1)
        return f"{{{_quote(request.method)}, {_quote(PREFIX + request.path)}, {body}}}"

    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    if key_header:
        headers[key_header] = KEY_PLACEHOLDER
    fields = {
        "headers": ", ".join(f"[ {_quote(name)} ] = {_quote(value)}" for name, value in headers.items()),
        "bodies": ", ".join(map(_quote, bodies)),
        "requests": ", ".join(map(table, requests)),
    }
    text = ", ".join(f"{name} = {{{value}}}" for name, value in fields.items())
    text += f", rate = {rate}" if rate else ""
    text += f", placeholder = {_quote(KEY_PLACEHOLDER)}, run = {time.time_ns()}" if key_header else ""
    return f"return {{{text}}}"


def _quote(text: str) -> str:
    return f"[==[{text}]==]"
