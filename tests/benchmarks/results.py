"""The runs that were made, as medians, and as JSON to compare later ones with."""

import json
import os
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.contender import Run


@dataclass
class Results:
    seconds: float  # of each run
    started_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    processor: str = field(default_factory=lambda: f"{os.cpu_count()} x {_processor()}")
    runs: dict[str, dict[str, list[Run]]] = field(default_factory=dict)  # by work and contender

    def add(self, work: str, contender: str, run: Run) -> None:
        self.runs.setdefault(work, {}).setdefault(contender, []).append(run)

    def median(self, work: str, contender: str) -> Run | None:
        runs = self.runs.get(work, {}).get(contender)
        if not runs:
            return None
        figures = {each.name: median(getattr(run, each.name) for run in runs) for each in fields(Run)}
        return Run(**figures | {"failed": sum(run.failed for run in runs)})

    def ratio(self, work: str, contender: str, *, at: str = "") -> float | None:
        """How many times as fast as that contender this service is: infinitely, if it finished nothing in time."""
        ours, other = self.median(work, "ours"), self.median(at or work, contender)
        if ours is None or other is None or not ours.rate:
            return None
        return ours.rate / other.rate if other.rate else inf

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> "Results":
        data: dict[str, Any] = json.loads(path.read_text())
        runs = {
            work: {contender: [Run(**run) for run in runs] for contender, runs in of_work.items()}
            for work, of_work in data.pop("runs").items()
        }
        return cls(**data, runs=runs)


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), "unknown")
