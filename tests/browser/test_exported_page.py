"""The page that an export as HTML writes, opened from a file."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from conversations.models import Conversation
from conversations.transfer.exporter import Export
from tests.browser.axe import serious_violations
from tests.browser.pages import scrolls_sideways
from tests.browser.transcripts import create_all_item_types, transcript_path
from tests.browser.watch import Watch

IS_CUT = "element => element.scrollHeight > element.clientHeight"


@pytest.fixture
def file(live_server, alice, tmp_path) -> Path:
    conversation = create_all_item_types(alice, examples=1)
    conversation.add_items([{"type": "function_call_output", "call_id": "call_early", "output": "line\n" * 200}])
    file: Path = tmp_path / "conversations.html"
    file.write_bytes(b"".join(Export(Conversation.objects.all(), format="html")))
    return file


def test_page_is_styled_and_loads_nothing(page: Page, file):
    watch = Watch(page)
    page.goto(file.as_uri())
    expect(page.locator("section").first).to_have_css("border-top-style", "solid")
    expect(page.locator("img").first).to_have_js_property("naturalWidth", 1)
    assert watch.problems == []
    assert watch.foreign_requests(file.as_uri()) == []


def test_page_is_accessible_in_light_and_dark_colors(page: Page, file):
    page.goto(file.as_uri())
    light = page.locator("body").evaluate("body => getComputedStyle(body).color")
    page.emulate_media(color_scheme="dark")
    assert page.locator("body").evaluate("body => getComputedStyle(body).color") != light
    page.emulate_media(color_scheme="light")
    assert serious_violations(page) == []
    page.set_viewport_size({"width": 320, "height": 800})
    assert not scrolls_sideways(page)


def test_page_prints_code_as_a_whole(page: Page, file):
    page.goto(file.as_uri())
    blocks = page.locator("section > pre")
    assert any(block.evaluate(IS_CUT) for block in blocks.all())
    page.emulate_media(media="print")
    assert not any(block.evaluate(IS_CUT) for block in blocks.all())


def test_transcript_is_downloaded_in_the_chosen_format(admin_page: Page, live_server, alice):
    conversation = create_all_item_types(alice, examples=1)
    admin_page.goto(transcript_path(conversation))
    admin_page.get_by_label("Export as").select_option("HTML, a page to read or print")
    with admin_page.expect_download() as download:
        admin_page.get_by_role("button", name="Download", exact=True).click()
    assert download.value.suggested_filename.startswith(f"{conversation.pk}-")
    assert Path(download.value.path()).read_text().count("<section") == conversation.items.count()
