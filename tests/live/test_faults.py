"""Faults under load lose, double, halve and hide nothing. A longer run is a command: see `tests.live.faults`."""

import resource

import pytest
from django.db import connection

from tests.live.faults.documented_run import run_documented

# Each of these faults, while it lasts, gives one of these to a request. Clients reach a dead service through a proxy.
EVIDENCE = {
    "main process killed, service started again": {"no answer", "no connection"},
    "answers cut": {"no answer"},
    "database connections reset": {"503", "replayed"},
    "database killed, started again": {"503"},
    "disk full": {"503"},
}


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux's limits, signals and filters of packets")
def test_faults_under_load_lose_double_and_halve_nothing():
    headings, rows = run_documented("tests.live.faults", "--recovery", "inf", replace="--minutes 30", by="--minutes 0")
    assert len(rows) == (6 if connection.vendor == "sqlite" else 9)
    for row in rows:
        cells = dict(zip(headings, row, strict=True))
        assert int(cells["acknowledged"]) > 0
        outcomes = {outcome.partition(":")[0] for outcome in cells["what clients saw"].split(", ")}
        assert outcomes & EVIDENCE.get(cells["fault"], outcomes), row
        if cells["fault"] == "database connections half-open":
            # Appends wait for the lost transaction, and get no error if the server ends it before they give up.
            assert float(cells["seconds to recover"]) > 0.5, row
        assert [cells[kind] for kind in ("lost", "doubled", "half-written", "misread")] == ["0"] * 4
