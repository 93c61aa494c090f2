"""The accessibility checker axe-core."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

SERIOUS = ("serious", "critical")
AXE = Axe()


def serious_violations(page: Page) -> list[tuple[str, Any]]:
    """Return the rules that the page violates seriously, each with the first elements that violate it."""
    results = AXE.run(page, options={"resultTypes": ["violations"]})
    return [
        (violation["id"], [(node["html"][:200], node["failureSummary"]) for node in violation["nodes"][:3]])
        for violation in results.response["violations"]
        if violation["impact"] in SERIOUS
    ]
