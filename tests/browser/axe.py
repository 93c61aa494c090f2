"""The accessibility checker axe-core."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

SERIOUS = ("serious", "critical")
AXE = Axe()


def serious_violations(page: Page) -> list[tuple[str, Any]]:
    """Return the rules that the page violates seriously, each with the first elements that violate it.

    Contrast is checked both in light and in dark colors.
    """
    violations = _run(page)
    page.emulate_media(color_scheme="dark")
    violations += _run(page, runOnly=["color-contrast"])
    page.emulate_media(color_scheme="light")
    return [
        (violation["id"], [(node["html"][:200], node["failureSummary"]) for node in violation["nodes"][:3]])
        for violation in violations
        if violation["impact"] in SERIOUS
    ]


def _run(page: Page, **options: Any) -> list[dict[str, Any]]:
    violations: list[dict[str, Any]] = AXE.run(page, options={"resultTypes": ["violations"], **options}).response[
        "violations"
    ]
    return violations
