"""The accessibility checker axe-core, downloaded from npm into pytest's cache."""

import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

VERSION = "4.14.1"
SERIOUS = ("serious", "critical")


def axe_script(cache: pytest.Cache) -> str:
    directory = cache.mkdir(f"axe-core-{VERSION}")
    script = directory / "axe.min.js"
    if not script.exists():
        npm = shutil.which("npm")
        if npm is None and os.environ.get("CI") != "true":
            pytest.skip("no npm found")
        assert npm, "npm is needed"
        subprocess.run([npm, "pack", f"axe-core@{VERSION}", "--silent"], cwd=directory, check=True, capture_output=True)
        with tarfile.open(directory / f"axe-core-{VERSION}.tgz") as archive:
            member = archive.extractfile("package/axe.min.js")
            assert member
            script.write_bytes(member.read())
    return Path(script).read_text()


def serious_violations(page: Page, script: str) -> list[tuple[str, Any]]:
    """Return the rules that the page violates seriously, each with the first elements that violate it."""
    page.evaluate(script)
    results = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        (violation["id"], [(node["html"][:200], node["failureSummary"]) for node in violation["nodes"][:3]])
        for violation in results["violations"]
        if violation["impact"] in SERIOUS
    ]
