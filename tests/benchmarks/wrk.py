"""One run of wrk: how fast, and how long one waits."""

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("requests.lua")
CONNECTIONS = 16
PREFIX = "/v1"


@dataclass(frozen=True)
class Requests:
    """That are sent in turn, the same ones again and again."""

    method: str
    paths: list[str]
    body: str | None = None
    # After each of them, one to this path with the answer's id in the place of %s, and this body.
    follow: tuple[str, str] | None = None


@dataclass(frozen=True)
class Timing:
    rate: float  # of requests, per second; with `follow`, of both together
    p50: float  # milliseconds; with `follow`, of each of the two
    p99: float
    requests: int
    failed: int  # answers other than 2xx and 3xx, and those that never came


def run(port: int, requests: Requests, *, headers: dict[str, str], seconds: float) -> Timing:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as work:
        work.write(_lua(requests, headers))
        work.flush()
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--timeout", "30s", "-s", str(SCRIPT)]
        command += [f"http://127.0.0.1:{port}", "--", work.name]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    figures = json.loads(output.splitlines()[-1])
    count = figures["requests"] / (2 if requests.follow else 1)
    return Timing(
        rate=count / figures["seconds"],
        p50=figures["p50"],
        p99=figures["p99"],
        requests=figures["requests"],
        failed=figures["refused"] + figures["broken"],
    )


def _lua(requests: Requests, headers: dict[str, str]) -> str:
    follow_path, follow_body = requests.follow or (None, None)
    bodies = ", ".join(_quoted(body) for body in (requests.body, follow_body) if body is not None)
    fields = {
        "method": _quoted(requests.method),
        "headers": "{" + ", ".join(f"[ {_quoted(name)} ] = {_quoted(value)}" for name, value in headers.items()) + "}",
        "paths": "{" + ", ".join(_quoted(PREFIX + path) for path in requests.paths) + "}",
        "bodies": "{" + bodies + "}",
    }
    if follow_path is not None:
        fields["follow"] = _quoted(PREFIX + follow_path)
    return "return {" + ", ".join(f"{name} = {value}" for name, value in fields.items()) + "}"


def _quoted(text: str) -> str:
    return f"[==[{text}]==]"
