import pytest
from playwright.sync_api import Locator, Page

WITHOUT_JAVASCRIPT = pytest.mark.browser_context_args(java_script_enabled=False)


def follow(link: Locator) -> None:
    """Click the link and wait until the next page has loaded, which a click alone does not."""
    with link.page.expect_navigation():
        link.click()


def scrolls_sideways(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
