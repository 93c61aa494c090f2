from playwright.sync_api import Locator, Page


def follow(link: Locator) -> None:
    """To the page it leads to, and until its scripts have run: a click alone waits for neither."""
    with link.page.expect_navigation():
        link.click()


def scrolls_sideways(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
