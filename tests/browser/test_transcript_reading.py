"""Reading a transcript: JSON that folds, highlighted code, the search over all pages, and downloads of stored files."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from conversations.models import Conversation
from conversations.schema.items import validate_items
from conversations.trash import move_to_trash
from tests.browser.axe import serious_violations
from tests.browser.pages import WITHOUT_JAVASCRIPT, follow, scrolls_sideways
from tests.browser.transcripts import PIXEL, create_all_item_types, transcript_path
from tests.browser.watch import Watch

ORDER = {
    "id": 17,
    "note": "Dear Ann,\n\nyour refund\n",
    "history": [{"day": day, "event": "moved"} for day in range(30)],
    "empty": [{}, []],
}
CODE = '```python\n# why\ndef area(r):\n    return 3 * r + len("x")\n```\n\n```sql\nSELECT 1 -- a\n```\n'


@pytest.fixture
def conversation(live_server, alice) -> Conversation:
    items = [
        {"role": "user", "content": "مرحبا\n\n" + CODE},
        {"type": "function_call", "call_id": "c", "name": "order", "arguments": json.dumps(ORDER)},
        *({"role": "user", "content": f"message {number}"} for number in range(150)),
        {"role": "developer", "content": "Never promise a REFUND. " + "word " * 2_000},
        {"role": "assistant", "content": "word " * 2_000 + "and no **refund**"},
        {"role": "user", "content": [{"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"}]},
    ]
    conversation = Conversation.objects.create_with_items(owner=alice)
    for start in range(0, len(items), 20):
        conversation.add_items(items=validate_items(items[start : start + 20]))
    return conversation


def test_time_and_menu_stand_beside_the_title_on_a_phone(admin_page: Page, alice, live_server):
    admin_page.set_viewport_size({"width": 375, "height": 800})
    admin_page.goto(transcript_path(create_all_item_types(alice, examples=1)))
    headers = admin_page.locator(".conversations-item > header")
    assert headers.filter(has=admin_page.locator(".conversations-mark")).count() > 3
    for header in headers.all():
        title, menu = header.locator("h3").bounding_box(), header.locator(".conversations-menu").bounding_box()
        assert title is not None
        assert menu is not None
        assert abs(menu["y"] - title["y"]) < 8, header.text_content()
        assert menu["x"] > title["x"] + title["width"]


@pytest.mark.parametrize("place", ["transcript", "trash"])
@pytest.mark.parametrize("width", [375, 1280])
def test_long_title_leaves_room_for_the_object_tools(admin_page: Page, live_server, alice, place, width):
    items = validate_items([{"role": "user", "content": "I cancelled this invoice in writing. " * 4}])
    conversation = Conversation.objects.create_with_items(owner=alice, items=items)
    path = transcript_path(conversation)
    if place == "trash":
        path = f"/admin/conversations/deletedconversation/{move_to_trash(conversation).pk}/change/"
    admin_page.set_viewport_size({"width": width, "height": 800})
    admin_page.goto(path)
    title = admin_page.locator("h1").filter(has_text="invoice").bounding_box()
    tools = admin_page.locator(".object-tools").bounding_box()
    assert title["x"] + title["width"] <= tools["x"] or title["y"] + title["height"] <= tools["y"]


def test_buttons_for_downloads_look_like_the_others(admin_page: Page, conversation):
    admin_page.goto(transcript_path(conversation))
    looks = {
        name: admin_page.get_by_role("button", name=name, exact=True).evaluate(
            "(button, names) => names.map(name => getComputedStyle(button)[name])",
            ["backgroundColor", "borderColor", "color", "borderRadius"],
        )
        for name in ("Download as HTML", "Download as Markdown", "Download", "Find")
    }
    assert len({tuple(look) for look in looks.values()}) == 1


@WITHOUT_JAVASCRIPT
def test_json_folds_and_shows_lines_without_a_script(admin_page: Page, conversation):
    admin_page.goto(transcript_path(conversation))
    tree = admin_page.locator(".conversations-json")
    expect(tree.locator("pre")).to_have_text("Dear Ann,\n\nyour refund\n")
    entry = tree.get_by_text('"day": 29')
    expect(entry).to_be_hidden()
    tree.get_by_text("30 entries").click()
    expect(entry).to_be_visible()
    tree.locator("summary").first.click()
    expect(entry).to_be_hidden()


def test_copied_tree_is_the_json(admin_page: Page, conversation):
    admin_page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    admin_page.goto(transcript_path(conversation))
    article = admin_page.get_by_role("article", name="Function call order")
    article.get_by_role("button", name="Copy", exact=True).last.click()
    expect(article.get_by_role("button", name="Copied")).to_have_count(1)
    copied = admin_page.evaluate("navigator.clipboard.readText()")
    assert json.loads(copied) == ORDER
    assert '\n  "id": 17,\n' in copied


def test_text_of_an_item_is_copied_from_its_menu(admin_page: Page, conversation):
    admin_page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    admin_page.goto(transcript_path(conversation))
    article = admin_page.get_by_role("article").first
    article.locator(".conversations-menu > summary").click()
    article.get_by_role("button", name="Copy text").click()
    expect(article.get_by_role("button", name="Copied")).to_have_count(1)
    copied = admin_page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("مرحبا\n")
    assert 'return 3 * r + len("x")\n' in copied


COLORS = """codes => codes.map(code => {
    const colors = [...code.querySelectorAll("span")].map(span => getComputedStyle(span).color);
    const language = getComputedStyle(code.parentElement, "::before").content;
    return [language, new Set(colors).size, getComputedStyle(code.parentElement).direction];
})"""


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_code_is_highlighted_with_its_language_from_left_to_right(admin_page: Page, conversation, color_scheme):
    admin_page.emulate_media(color_scheme=color_scheme)
    watch = Watch(admin_page)
    admin_page.goto(transcript_path(conversation) + "?find=refund")
    codes = admin_page.locator(".conversations-markdown pre code").evaluate_all(COLORS)
    assert codes == [['"python"', 5, "ltr"], ['"sql"', 3, "ltr"]]
    expect(admin_page.locator("mark").first).to_be_visible()
    assert watch.problems == []
    assert serious_violations(admin_page) == []


def test_search_leads_through_the_matches_of_all_pages(admin_page: Page, conversation):
    watch = Watch(admin_page)
    admin_page.goto(transcript_path(conversation))
    admin_page.get_by_role("searchbox", name="Search in this transcript").fill("refund")
    admin_page.keyboard.press("Enter")
    form = admin_page.get_by_role("search", name="Search in this transcript")
    for number, article in enumerate(("Function call", "Developer", "Assistant"), 1):
        expect(form.get_by_role("status")).to_have_text(f"{number} of 3")
        current = admin_page.locator("article[aria-current=true]")
        expect(current.get_by_role("heading", level=3)).to_contain_text(article)
        expect(current).to_be_in_viewport()
        expect(current.locator("mark")).to_have_text(re.compile("refund", re.IGNORECASE))
        expect(current.locator("mark")).to_be_visible()
        expect(form).to_be_in_viewport()
        if number < 3:
            follow(form.get_by_role("link", name="Next match"))
    expect(form.get_by_role("link", name="Next match")).to_have_count(0)
    follow(form.get_by_role("link", name="Previous match"))
    expect(form.get_by_role("status")).to_have_text("2 of 3")
    follow(form.get_by_role("link", name="End search"))
    expect(admin_page.locator("mark")).to_have_count(0)
    assert watch.problems == []


def test_stored_image_is_downloaded(admin_page: Page, conversation):
    admin_page.goto(transcript_path(conversation) + "?after=150")
    admin_page.get_by_text("Image (PNG, 70 bytes)").click()
    with admin_page.expect_download() as download:
        admin_page.get_by_role("link", name="Download image").click()
    assert download.value.suggested_filename.endswith(".png")
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


def test_json_code_and_search_fit_a_narrow_screen(admin_page: Page, conversation):
    admin_page.set_viewport_size({"width": 320, "height": 800})
    admin_page.goto(transcript_path(conversation) + "?find=refund")
    admin_page.get_by_role("button", name="Expand all").click()
    assert not scrolls_sideways(admin_page)
