"""Take the pictures of the documentation from a running service with invented conversations.

    .venv/bin/python -m tests.docs.screenshots

writes `list.png`, `transcript.png`, `overview.png` and `trash.png` to `conversations/docs/images`, or to another folder
with `--output`. It needs Chromium. Look at the pictures before you commit them.
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
IMPORT = """
from conversations.models import Conversation
from conversations.trash import move_to_trash
from tests.docs.demo import import_demo
newest = import_demo()
move_to_trash(Conversation.objects.earliest("pk"))
print(newest)
"""
COLUMNS = "columns=last_item&columns=owner&columns=item_count&column_key=tenant&column_key=plan&column_key=topic"
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
        page = browser.new_page(viewport={"width": 1280, "height": 700}, color_scheme="light")
        page.add_init_script("localStorage.setItem('django.admin.navSidebarIsOpen', 'false')")
        _log_in(page, url, password=re.search(r"with the password (\S+)", service.stdout)[1])
        page.goto(f"{list_url}?{COLUMNS}")
        page.goto(f"{list_url}?{CONDITIONS}")
        page.screenshot(path=directory / "list.png")
        page.set_viewport_size({"width": 1280, "height": 1152})
        page.goto(f"{list_url}{conversation_id.replace('_', '_5F')}/change/")
        page.screenshot(path=directory / "transcript.png")
        page.set_viewport_size({"width": 1280, "height": 700})
        page.goto(f"{list_url}overview/")
        page.screenshot(path=directory / "overview.png")
        page.set_viewport_size({"width": 1280, "height": 480})
        page.goto(f"{url}conversations/deletedconversation/")
        page.locator("#result_list th a").first.click()
        with page.expect_navigation():
            page.get_by_role("link", name="Read", exact=True).click()
        page.screenshot(path=directory / "trash.png")
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
