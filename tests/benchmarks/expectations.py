"""How fast this service on PostgreSQL is to be: at least the floor times what it is compared with, at best the aim."""

from dataclasses import dataclass

from tests.benchmarks.work import WORK


@dataclass(frozen=True)
class Expectation:
    work: str
    than: str  # the contender
    floor: float
    aim: float
    at: str = ""  # other work of that contender, where it is not the same

    @property
    def compared_with(self) -> str:
        return self.at or self.work


EXPECTATIONS = [
    Expectation("create, 1 item", "pgbench", 0.25, 0.40),
    Expectation("create, 1 item", "smg", 0.25, 0.40),  # which drops the item
    Expectation("create, 20 items", "smg", 2, 3),  # which needs two requests
    Expectation("append 1 to 1,000", "smg", 0.5, 0.8),
    Expectation("append 20 to 1,000", "smg", 2, 3),
    Expectation("list 20 of 1,000", "smg", 0.8, 1.2),
    Expectation("retrieve", "smg", 0.25, 0.4),
    *(Expectation(work.name, "ogx", 10, 15) for work in WORK if not work.is_ours_only),
    *(Expectation(work.name, "devui", 1.5, 2) for work in WORK if work.writes and not work.is_ours_only),
    *(
        Expectation(f"{verb} 10,000", "ours", 0.9, 1, at=f"{verb} 20")
        for verb in ("append 1 to", "append 20 to", "list 20 of")
    ),
]
