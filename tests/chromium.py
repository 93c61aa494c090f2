"""How Playwright starts the Chromium of the system, for browser tests and for the pictures of the documentation."""

import shutil

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")  # the first is the quickest


def find_chromium() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)
