"""The figures of all runs: their medians, tables in Markdown, and a JSON file for comparisons."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.machine import BUSY_CORES
from tests.benchmarks.target import Run

HEADINGS = ["", "", "per second", "p50 ms", "p99 ms", "failed", "MB", "CPU s / 1,000", "PostgreSQL's", "service is"]
SERVICE = "service"  # the target that all others are compared with


@dataclass
class Results:
    seconds: float  # per run
    started_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    processor: str = field(default_factory=lambda: f"{os.cpu_count()} x {_processor()}")
    runs: dict[str, dict[str, list[Run]]] = field(default_factory=dict)  # by workload and target

    def add(self, workload: str, target: str, run: Run) -> None:
        self.runs.setdefault(workload, {}).setdefault(target, []).append(run)

    def median(self, workload: str, target: str) -> Run | None:
        runs = self.runs.get(workload, {}).get(target)
        if not runs:
            return None
        figures = {figure.name: median(getattr(run, figure.name) for run in runs) for figure in fields(Run)}
        return Run(**figures | {"failed": sum(run.failed for run in runs)})

    def ratio(self, workload: str, target: str) -> float | None:
        """Return how many times as fast as the target the service is; infinity if the target finished no request."""
        service, other = self.median(workload, SERVICE), self.median(workload, target)
        if service is None or other is None or not service.rate:
            return None
        return service.rate / other.rate if other.rate else inf

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> "Results":
        data: dict[str, Any] = json.loads(path.read_text())
        runs = {
            workload: {target: [Run(**run) for run in runs] for target, runs in targets.items()}
            for workload, targets in data.pop("runs").items()
        }
        return cls(**data, runs=runs)


def print_headings() -> None:
    print_row(HEADINGS)
    print_row(["---"] * 2 + ["---:"] * (len(HEADINGS) - 2))


def print_workload(workload: str, results: Results) -> None:
    for target, runs in results.runs.get(workload, {}).items():
        print_row([workload, target, *_cells(results.median(workload, target)), _ratio_cell(results, workload, target)])
        busy = [run.other_cores for run in runs if run.other_cores > BUSY_CORES]
        if busy:
            print(f"^ WARNING: others kept {max(busy):.1f} cores busy during {len(busy)} of {len(runs)} runs")


def print_comparison(before: Results, after: Results) -> None:
    """Print rates and ratios. Ratios can be compared between machines, rates can't."""
    print(f"\nBefore: {before.started_at}, {before.processor}")
    print_row(["", "", "before", "after", "x", "service was", "service is"])
    print_row(["---", "---", *["---:"] * 5])
    for workload, targets in after.runs.items():
        for target in targets:
            old, new = before.median(workload, target), after.median(workload, target)
            if old and new:
                rates = [f"{old.rate:.0f}", f"{new.rate:.0f}", f"{new.rate / old.rate:.2f}" if old.rate else ""]
                ratios = [_ratio_cell(results, workload, target) for results in (before, after)]
                print_row([workload, target, *rates, *ratios])


def print_row(cells: Iterable[str]) -> None:
    print("|", " | ".join(cells), "|", flush=True)


def _ratio_cell(results: Results, workload: str, target: str) -> str:
    ratio = results.ratio(workload, target)
    return "" if target == SERVICE or ratio is None else f"{ratio:.2f} x"


def _cells(run: Run) -> list[str]:
    return [
        f"{run.rate:.0f}",
        f"{run.p50:.1f}",
        f"{run.p99:.1f}",
        str(run.failed),
        f"{run.memory / 1e6:.0f}" if run.memory else "",
        f"{run.cpu_per_1000:.2f}",
        f"{run.database_cpu_per_1000:.2f}",
    ]


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), "unknown")
