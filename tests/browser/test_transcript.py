import re
import time
from itertools import pairwise

import pytest
from playwright.sync_api import Page, expect

from conversations.admin.transcript.item import TranscriptItem
from conversations.admin.transcript.item_types import ITEM_DISPLAYS
from conversations.models import Conversation, Item
from conversations.schema.items import validate_items
from tests.browser.pages import follow
from tests.browser.transcripts import PIXEL, TALK, create_all_item_types, store_item, transcript_path
from tests.browser.watch import Watch


@pytest.fixture
def talk(live_server, alice) -> Conversation:
    return Conversation.create_with_items(owner=alice, items=validate_items(TALK))


def test_headings_are_in_order_and_there_are_no_live_regions(visit, admin, talk):
    def steps(page: Page) -> None:
        page.goto(transcript_path(talk))
        page.get_by_role("button", name="Expand all").click()
        levels = page.locator("#content :is(h1,h2,h3,h4,h5,h6)").evaluate_all("all => all.map(h => +h.tagName[1])")
        assert levels[0] == 1
        assert all(later <= earlier + 1 for earlier, later in pairwise(levels))
        assert page.locator("#transcript :is([aria-live], [role=log], [role=status], [role=alert])").count() == 0

    visit(steps, as_user=admin)


def test_calls_contain_their_outputs_and_orphans_are_marked(visit, admin, talk):
    def steps(page: Page) -> None:
        page.goto(transcript_path(talk))
        early = page.get_by_role("article", name="Function call weather")
        expect(early.get_by_role("region", name="Function output")).to_contain_text('"degrees": 21')
        expect(page.get_by_role("article", name="Function call forecast")).to_contain_text("rain")
        expect(page.get_by_role("article", name="Function call lost")).to_contain_text(
            "No output recorded for this call"
        )
        orphan = page.get_by_role("article", name="Function output", exact=True)
        expect(orphan).to_contain_text("No call recorded for this output")
        page.get_by_role("link", name="↑ shown under call #7").click()
        expect(early.locator("..").locator("..").locator(":target")).to_contain_text("rain")

    visit(steps, as_user=admin)


def test_transcript_works_without_javascript(visit, admin, talk):
    def steps(page: Page) -> None:
        page.goto(transcript_path(talk))
        expect(page.get_by_role("article")).to_have_count(len(TALK))
        expect(page.get_by_role("button", name="Copy")).to_have_count(0)
        page.get_by_role("article", name="System").locator("summary").click()
        expect(page.get_by_text("Answer briefly.")).to_be_visible()
        page.get_by_role("link", name="Messages only").click()
        expect(page.get_by_role("article")).to_have_count(6)
        page.goto(transcript_path(talk))
        expect(page.get_by_role("article")).to_have_count(6)
        page.get_by_role("link", name="Raw", exact=True).click()
        expect(page.get_by_role("article", name="System")).to_contain_text('"role": "system"')
        page.get_by_role("link", name="All items").click()
        expect(page.get_by_role("article")).to_have_count(len(TALK))

    visit(steps, as_user=admin, java_script_enabled=False)


def test_single_item_can_be_toggled_to_raw_in_place(visit, admin, talk):
    def steps(page: Page) -> None:
        page.goto(transcript_path(talk))
        page.get_by_role("link", name="Raw view of item 4").click()
        article = page.get_by_role("article").nth(3)
        expect(article).to_contain_text('"type": "output_text"')
        expect(article).to_be_in_viewport()
        expect(page.get_by_role("article").nth(1)).not_to_contain_text('"type"')
        page.get_by_role("link", name="Rendered view of item 4").click()
        expect(article.get_by_role("heading", name="A plan")).to_be_visible()

    visit(steps, as_user=admin)


def test_ids_and_code_can_be_copied(visit, admin, talk):
    def steps(page: Page) -> list[str]:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.goto(transcript_path(talk))
        article = page.get_by_role("article").nth(3)
        copied = []
        for button in article.get_by_role("button", name="Copy").all():
            button.press("Enter")
            expect(article.get_by_role("button", name="Copied")).to_have_count(1)
            copied.append(page.evaluate("navigator.clipboard.readText()"))
            expect(article.get_by_role("button", name="Copied")).to_have_count(0)
        return copied

    assert visit(steps, as_user=admin) == [talk.items.get(position=4).item_id, 'print("hello")\n']


def test_inline_image_is_shown_after_opening_its_summary(visit, admin, talk, live_server):
    def steps(page: Page) -> Watch:
        watch = Watch(page)
        page.goto(transcript_path(talk))
        image = page.locator("#transcript img")
        expect(image).to_be_hidden()
        page.get_by_text("Image (PNG, 70 bytes)").press("Enter")
        expect(image).to_be_visible()
        assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 1
        assert image.get_attribute("src").endswith(PIXEL)
        return watch

    assert visit(steps, as_user=admin).problems == []


def test_item_link_opens_its_page_and_marks_it(visit, admin, alice, live_server):
    conversation = Conversation.create_with_items(owner=alice)
    row = store_item(
        conversation, {"type": "message", "role": "system", "content": "x"}, item_type="message", item_id="m_0"
    )
    rows = [
        Item(
            conversation=conversation,
            position=position,
            item_id=f"m_{position}",
            type="message",
            data={**row.data, "content": f"text {position}"},
            created_at=row.created_at,
        )
        for position in range(2, 402)
    ]
    Item.objects.bulk_create(rows)
    Conversation.objects.filter(pk=conversation.pk).update(last_position=401, item_count=401)

    def steps(page: Page) -> None:
        page.goto(transcript_path(conversation) + "?item=m_250#item_m_250")
        current = page.locator("#transcript [aria-current=true]:target")
        expect(current).to_contain_text("text 250")
        expect(current.get_by_text("text 250")).to_be_visible()
        expect(current).to_be_in_viewport()
        expect(page.get_by_role("article")).to_have_count(100)
        page.get_by_role("link", name="Last").first.click()
        expect(page.get_by_role("article").last).to_contain_text("text 401")
        page.get_by_role("link", name="First").first.click()
        expect(page.locator("#transcript > ol > li").first).to_have_attribute("value", "1")

    visit(steps, as_user=admin)


def test_huge_output_is_truncated_but_can_be_downloaded(visit, admin, alice, live_server):
    output = "line of output\n" * 690_000
    items = [{"type": "function_call_output", "call_id": "c", "output": output}, {"role": "user", "content": "after"}]
    conversation = Conversation.create_with_items(owner=alice, items=validate_items(items))

    def steps(page: Page) -> tuple[float, int]:
        started = time.monotonic()
        page.goto(transcript_path(conversation))
        expect(page.get_by_text("after", exact=True)).to_be_visible()
        duration = time.monotonic() - started
        page.get_by_role("button", name="Expand all").click()
        with page.expect_download() as download:
            page.get_by_role("link", name="Download the whole item").click()
        return duration, download.value.path().stat().st_size

    duration, size = visit(steps, as_user=admin)
    assert duration < 5
    assert size > len(output)


def test_every_item_type_is_shown_under_its_name(visit, admin, alice, live_server):
    conversation = create_all_item_types(alice)
    shown = {row.anchor: row.title for row in map(TranscriptItem, conversation.items.all())}
    assert set(ITEM_DISPLAYS) <= set(conversation.items.values_list("type", flat=True))

    def steps(page: Page) -> dict[str, str]:
        found = {}
        page.goto(transcript_path(conversation))
        while True:
            headings = (
                "all => all.map(each => [each.id, each.querySelector('h3, h4').childNodes[0].textContent.trim()])"
            )
            found |= dict(page.locator("#transcript .conversations-item[id]").evaluate_all(headings))
            later = page.get_by_role("link", name="Later").first
            if later.count() == 0:
                return found
            follow(later)

    assert visit(steps, as_user=admin) == shown


def test_empty_conversation_shows_a_note(visit, admin, alice, live_server):
    conversation = Conversation.create_with_items(owner=alice)

    def steps(page: Page) -> None:
        watch = Watch(page)
        for query in ("", "?view=raw", "?show=messages", "?after=5", "?item=item_x"):
            page.goto(transcript_path(conversation) + query)
            expect(page.get_by_role("heading", name="Transcript")).to_be_visible()
            expect(page.get_by_role("article")).to_have_count(0)
            expect(page.locator("#transcript")).to_contain_text(
                re.compile("This conversation has no|There are no items")
            )
        assert watch.problems == []

    visit(steps, as_user=admin)


def test_right_to_left_text_and_emoji_are_displayed(visit, admin, talk):
    def steps(page: Page) -> None:
        page.goto(transcript_path(talk))
        direction = "each => getComputedStyle(each).direction"
        assert page.get_by_text("ما هو الطقس").evaluate(direction) == "rtl"
        assert page.get_by_text("What is the weather in").evaluate(direction) == "ltr"
        expect(page.get_by_text("🌦️ 👩‍👩‍👧")).to_be_visible()

    visit(steps, as_user=admin)
