"""The accessibility checker axe-core."""

from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

SERIOUS = ("serious", "critical")
AXE = Axe()


def serious_violations(page: Page) -> list[tuple[str, Any]]:
    """Return the rules that the page violates seriously, each with the first elements that violate it.

    Contrast is checked both in light and in dark colors.
    """
    violations = _run(page)
    _set_color_scheme(page, "dark")
    violations += _run(page, runOnly=["color-contrast"])
    _set_color_scheme(page, "light")
    return [
        (violation["id"], [(node["html"][:200], node["failureSummary"]) for node in violation["nodes"][:3]])
        for violation in violations
        if violation["impact"] in SERIOUS
    ]


def _set_color_scheme(page: Page, color_scheme: Literal["light", "dark"]) -> None:
    """Change the colors at once, without their transitions."""
    page.emulate_media(color_scheme=color_scheme)
    page.evaluate("document.getAnimations().forEach(animation => animation.finish())")


def _run(page: Page, **options: Any) -> list[dict[str, Any]]:
    violations: list[dict[str, Any]] = AXE.run(page, options={"resultTypes": ["violations"], **options}).response[
        "violations"
    ]
    return violations
