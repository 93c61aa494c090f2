"""Take the pictures of the documentation from a running service with invented conversations.

    .venv/bin/python -m tests.docs.screenshots

writes `list.png` and `transcript.png` to `conversations/docs/images`, or to another folder with `--output`. It needs
Chromium. Look at the pictures before you commit them.
"""

import os
import re
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from types import SimpleNamespace

from playwright.sync_api import Page, sync_playwright

from tests.chromium import ARGUMENTS, find_chromium
from tests.live.service import ROOT, Service, manage

IMAGES = ROOT / "conversations" / "docs" / "images"
IMPORT = "from tests.docs.demo import import_demo; print(import_demo())"
COLUMNS = "columns=created&columns=owner&columns=first_message&column_key=tenant&column_key=plan&column_key=topic"
CONDITIONS = (
    "metadata_key=plan&metadata_operator=in&metadata_value=team%2C+enterprise"
    "&metadata_key=topic&metadata_operator=ne&metadata_value=account"
)


def take_screenshots(directory: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        database = SimpleNamespace(variables={"DATABASE_URL": f"sqlite:///{scratch}/demo.sqlite3"})
        service = Service(database, Path(scratch))
        service.start()
        try:
            imported = manage("shell", "-c", IMPORT, **service.variables)
            assert imported.returncode == 0, imported.stderr
            _visit(service, imported.stdout.split()[-1], directory)
            service.stop()
        finally:
            service.kill()


def _visit(service: Service, conversation_id: str, directory: Path) -> None:
    url = f"http://127.0.0.1:{service.port}/admin/"
    list_url = f"{url}conversations/conversation/"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 860}, color_scheme="light")
        page.add_init_script("localStorage.setItem('django.admin.navSidebarIsOpen', 'false')")
        _log_in(page, url, password=re.search(r"with the password (\S+)", service.stdout)[1])
        page.goto(f"{list_url}?{COLUMNS}")
        page.goto(f"{list_url}?{CONDITIONS}")
        page.screenshot(path=directory / "list.png")
        page.set_viewport_size({"width": 1280, "height": 1152})
        page.goto(f"{list_url}{conversation_id.replace('_', '_5F')}/change/")
        page.screenshot(path=directory / "transcript.png")
        browser.close()


def _log_in(page: Page, url: str, *, password: str) -> None:
    page.goto(url)
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(password)
    with page.expect_navigation():
        page.get_by_role("button", name="Log in").click()


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    parser = ArgumentParser(description="Take the pictures of the documentation.")
    parser.add_argument("--output", type=Path, default=IMAGES, metavar="FOLDER")
    take_screenshots(parser.parse_args().output)
