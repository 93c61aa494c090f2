"""The tables that are printed, in Markdown."""

from collections.abc import Iterable

from tests.benchmarks.contender import Run
from tests.benchmarks.expectations import EXPECTATIONS
from tests.benchmarks.machine import BUSY_CORES
from tests.benchmarks.results import Results

HEADINGS = ["", "", "per second", "p50 ms", "p99 ms", "failed", "MB", "CPU s / 1,000", "PostgreSQL's", "ours is"]


def print_headings() -> None:
    print_row(HEADINGS)
    print_row(["---"] * 2 + ["---:"] * (len(HEADINGS) - 2))


def print_work(work: str, results: Results) -> None:
    for contender, runs in results.runs.get(work, {}).items():
        run = results.median(work, contender)
        print_row([work, contender, *_cells(run), _times(results, work, contender)])
        busy = [each.other_cores for each in runs if each.other_cores > BUSY_CORES]
        if busy:
            print(f"^ WARNING: others kept {max(busy):.1f} cores busy during {len(busy)} of {len(runs)} runs")


def print_expectations(results: Results) -> None:
    met = [(each, results.ratio(each.work, each.than, at=each.at)) for each in EXPECTATIONS]
    if any(ratio is not None for _, ratio in met):
        print()
        print_row(["", "against", "is", "floor", "aim", ""])
        print_row(["---", "---", "---:", "---:", "---:", "---"])
    for each, ratio in met:
        if ratio is not None:
            verdict = "MISSED" if ratio < each.floor else "met" if ratio < each.aim else "aim met"
            against = f"{each.than} {each.at}".strip()
            print_row([each.work, against, f"{ratio:.2f}", f"{each.floor:g}", f"{each.aim:g}", verdict])


def print_comparison(before: Results, now: Results) -> None:
    """Ratios carry over from one machine or moment to another, which rates don't."""
    print(f"\nThen: {before.started_at}, {before.processor}")
    print_row(["", "", "then", "now", "x", "ours was", "ours is"])
    print_row(["---", "---", *["---:"] * 5])
    for work, contenders in now.runs.items():
        for contender in contenders:
            then, today = before.median(work, contender), now.median(work, contender)
            if then and today:
                rates = [f"{then.rate:.0f}", f"{today.rate:.0f}", f"{today.rate / then.rate:.2f}" if then.rate else ""]
                ratios = [_times(each, work, contender) for each in (before, now)]
                print_row([work, contender, *rates, *ratios])


def _times(results: Results, work: str, contender: str) -> str:
    ratio = results.ratio(work, contender)
    return "" if contender == "ours" or ratio is None else f"{ratio:.2f} x"


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


def print_row(cells: Iterable[str]) -> None:
    print("|", " | ".join(cells), "|", flush=True)
