"""One run of wrk: how fast, and how long one waits."""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("requests.lua")
CONNECTIONS = 16
PREFIX = "/v1"


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    body: str | None = None


@dataclass(frozen=True)
class Timing:
    rate: float  # per second; of both together, where one request follows the other
    p50: float  # milliseconds; of each of the two
    p99: float
    requests: int
    failed: int  # answers other than 2xx and 3xx, and those that never came


def run(
    port: int,
    requests: Sequence[Request],
    *,
    secret: str,
    seconds: float,
    follow: Request | None = None,
    rate: float | None = None,
) -> Timing:
    """Send the requests in turn, again and again, after each the one that follows: its path takes the answer's id."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as work:
        work.write(_lua(requests, follow, rate, secret))
        work.flush()
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--timeout", "30s", "-s", SCRIPT]
        command += [f"http://127.0.0.1:{port}", "--", work.name]
        output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    figures = json.loads(output.splitlines()[-1])
    return Timing(
        rate=figures["requests"] / figures["seconds"] / (2 if follow else 1),
        p50=figures["p50"],
        p99=figures["p99"],
        requests=figures["requests"],
        failed=figures["refused"] + figures["broken"],
    )


def _lua(requests: Sequence[Request], follow: Request | None, rate: float | None, secret: str) -> str:
    every = [*requests, *([follow] if follow else [])]
    bodies = list(dict.fromkeys(request.body for request in every if request.body is not None))

    def table(request: Request) -> str:
        body = "nil" if request.body is None else str(bodies.index(request.body) + 1)
        return f"{{{_quoted(request.method)}, {_quoted(PREFIX + request.path)}, {body}}}"

    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    fields = {
        "headers": ", ".join(f"[ {_quoted(name)} ] = {_quoted(value)}" for name, value in headers.items()),
        "bodies": ", ".join(map(_quoted, bodies)),
        "requests": ", ".join(map(table, requests)),
    }
    text = ", ".join(f"{name} = {{{value}}}" for name, value in fields.items())
    text += f", follow = {table(follow)}" if follow else ""
    text += f", rate = {rate}" if rate else ""
    return f"return {{{text}}}"


def _quoted(text: str) -> str:
    return f"[==[{text}]==]"
