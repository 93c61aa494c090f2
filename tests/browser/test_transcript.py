import re
from itertools import pairwise

import pytest
from django.db.models import QuerySet
from playwright.sync_api import Page, expect

from conversations.admin.transcript.item import TranscriptItem
from conversations.admin.transcript.item_types import ITEM_DISPLAYS
from conversations.models import Conversation, Item
from conversations.schema.items import validate_items
from tests.browser.list_page import title_link
from tests.browser.pages import WITHOUT_JAVASCRIPT, follow
from tests.browser.transcripts import PIXEL, TALK, create_all_item_types, store_item, transcript_path
from tests.browser.watch import Watch


@pytest.fixture
def talk(live_server, alice) -> Conversation:
    return Conversation.objects.create_with_items(owner=alice, items=validate_items(TALK))


def test_headings_are_in_order_and_there_are_no_live_regions(admin_page: Page, talk):
    admin_page.goto(transcript_path(talk))
    admin_page.get_by_role("button", name="Expand all").click()
    levels = admin_page.locator("#content :is(h1,h2,h3,h4,h5,h6)").evaluate_all("all => all.map(h => +h.tagName[1])")
    assert levels[0] == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))
    assert admin_page.locator("#transcript :is([aria-live], [role=log], [role=status], [role=alert])").count() == 0


def test_calls_contain_their_outputs_and_orphans_are_marked(admin_page: Page, talk):
    admin_page.goto(transcript_path(talk))
    early = admin_page.get_by_role("article", name="Function call weather")
    expect(early.get_by_role("region", name="Function output")).to_contain_text('"degrees": 21')
    expect(admin_page.get_by_role("article", name="Function call forecast")).to_contain_text("rain")
    expect(admin_page.get_by_role("article", name="Function call lost")).to_contain_text(
        "No output recorded for this call"
    )
    orphan = admin_page.get_by_role("article", name="Function output", exact=True)
    expect(orphan).to_contain_text("No call recorded for this output")
    expect(admin_page.get_by_role("article")).to_have_count(len(TALK) - 2)


def test_problems_are_marked_and_reached_in_one_click_or_by_key(admin_page: Page, alice):
    calls = [{"type": "function_call", "call_id": f"c{n}", "name": "lookup", "arguments": "{}"} for n in range(110)]
    outputs = [
        {"type": "function_call_output", "call_id": f"c{n}", "output": '{"error": "boom"}' if n in (4, 90) else "fine"}
        for n in range(110)
        if n != 50
    ]
    conversation = Conversation.objects.create_with_items(owner=alice)
    for call in calls:
        answers = [output for output in outputs if output["call_id"] == call["call_id"]]
        conversation.add_items(items=validate_items([call, *answers]))
    admin_page.goto("/admin/conversations/conversation/")
    title_link(admin_page, conversation).click()
    admin_page.get_by_role("link", name="2 failed").click()
    expect(admin_page.locator("#transcript :target")).to_contain_text("boom")
    expect(admin_page.locator("#transcript :target")).to_be_in_viewport()
    expect(admin_page.get_by_role("article").filter(has_text="boom").locator(".conversations-mark")).to_have_text(
        "✕ Error"
    )
    admin_page.keyboard.press("n")
    unanswered = admin_page.locator("#transcript :target")
    expect(unanswered).to_contain_text("No output recorded for this call")
    admin_page.keyboard.press("n")
    expect(admin_page.locator("#transcript :target")).to_contain_text("boom")
    expect(admin_page).to_have_url(re.compile(f"#item_{conversation.items.get(position=181).item_id}"))
    admin_page.keyboard.press("p")
    expect(admin_page).to_have_url(re.compile(f"#item_{conversation.items.get(position=101).item_id}"))


@WITHOUT_JAVASCRIPT
def test_transcript_works_without_javascript(admin_page: Page, talk):
    admin_page.goto(transcript_path(talk))
    expect(admin_page.get_by_role("article")).to_have_count(len(TALK) - 2)
    expect(admin_page.get_by_role("link", name="1 unanswered")).to_be_visible()
    expect(admin_page.get_by_role("button", name="Copy")).to_have_count(0)
    admin_page.get_by_role("article", name="System").locator(".conversations-collapsible > summary").click()
    expect(admin_page.get_by_text("Answer briefly.")).to_be_visible()
    admin_page.get_by_role("link", name="Messages only").click()
    expect(admin_page.get_by_role("article")).to_have_count(6)
    admin_page.goto(transcript_path(talk))
    expect(admin_page.get_by_role("article")).to_have_count(6)
    admin_page.get_by_role("link", name="Raw", exact=True).click()
    expect(admin_page.get_by_role("article", name="System")).to_contain_text('"role": "system"')
    admin_page.get_by_role("link", name="All items").click()
    expect(admin_page.get_by_role("article")).to_have_count(len(TALK) - 2)


def test_single_item_can_be_toggled_to_raw_in_place(admin_page: Page, talk):
    admin_page.goto(transcript_path(talk))
    article = admin_page.get_by_role("article").nth(3)
    article.locator(".conversations-menu > summary").click()
    article.get_by_role("link", name="Raw view of item 4").click()
    expect(article).to_contain_text('"type": "output_text"')
    expect(article).to_be_in_viewport()
    expect(admin_page.get_by_role("article").nth(1)).not_to_contain_text('"type"')
    article.locator(".conversations-menu > summary").click()
    article.get_by_role("link", name="Rendered view of item 4").click()
    expect(article.get_by_role("heading", name="A plan")).to_be_visible()


def test_ids_and_code_can_be_copied(admin_page: Page, talk):
    admin_page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    admin_page.goto(transcript_path(talk))
    article = admin_page.get_by_role("article").nth(3)
    article.locator(".conversations-menu > summary").click()
    copied = []
    for button in article.get_by_role("button", name="Copy").all():
        button.press("Enter")
        expect(article.get_by_role("button", name="Copied")).to_have_count(1)
        copied.append(admin_page.evaluate("navigator.clipboard.readText()"))
        expect(article.get_by_role("button", name="Copied")).to_have_count(0)
    text, item_id, code = copied
    assert text.startswith("A plan")
    assert [item_id, code] == [talk.items.get(position=4).item_id, 'print("hello")\n']


def test_inline_image_is_shown_after_opening_its_summary(admin_page: Page, talk):
    watch = Watch(admin_page)
    admin_page.goto(transcript_path(talk))
    image = admin_page.locator("#transcript img")
    expect(image).to_be_hidden()
    admin_page.get_by_text("Image (PNG, 70 bytes)").press("Enter")
    expect(image).to_be_visible()
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 1
    assert image.get_attribute("src").endswith(PIXEL)
    assert watch.problems == []


def test_item_link_opens_its_page_and_marks_it(admin_page: Page, alice):
    conversation = Conversation.objects.create_with_items(owner=alice)
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
    QuerySet(Item).bulk_create(rows)
    Conversation.objects.filter(pk=conversation.pk).update(last_position=401, item_count=401)

    admin_page.goto(transcript_path(conversation) + "?item=m_250#item_m_250")
    current = admin_page.locator("#transcript [aria-current=true]:target")
    expect(current).to_contain_text("text 250")
    expect(current.get_by_text("text 250")).to_be_visible()
    expect(current).to_be_in_viewport()
    expect(admin_page.get_by_role("article")).to_have_count(100)
    admin_page.get_by_role("link", name="Last").first.click()
    expect(admin_page.get_by_role("article").last).to_contain_text("text 401")
    admin_page.get_by_role("link", name="First").first.click()
    expect(admin_page.locator("#transcript > ol > li").first).to_have_attribute("value", "1")


def test_huge_output_is_truncated_but_can_be_downloaded(admin_page: Page, alice):
    output = "line of output\n" * 690_000
    items = [{"type": "function_call_output", "call_id": "c", "output": output}, {"role": "user", "content": "after"}]
    conversation = Conversation.objects.create_with_items(owner=alice, items=validate_items(items))

    admin_page.goto(transcript_path(conversation))
    expect(admin_page.locator("#transcript").get_by_text("after", exact=True)).to_be_visible()
    assert len(admin_page.content()) < len(output) / 20
    admin_page.get_by_role("button", name="Expand all").click()
    with admin_page.expect_download() as download:
        admin_page.get_by_role("link", name="Download the whole item").click()
    assert download.value.path().stat().st_size > len(output)


def test_every_item_type_is_shown_under_its_name(admin_page: Page, alice):
    conversation = create_all_item_types(alice)
    shown = {row.anchor: row.title for row in map(TranscriptItem, conversation.items.all())}
    assert set(ITEM_DISPLAYS) <= set(conversation.items.values_list("type", flat=True))

    found = {}
    admin_page.goto(transcript_path(conversation))
    later = admin_page.get_by_role("link", name="Later").first
    headings = "all => all.map(e => [e.id, e.ariaLabel ?? e.querySelector('h3').childNodes[0].textContent.trim()])"
    while True:
        found |= dict(admin_page.locator("#transcript [id][data-position]").evaluate_all(headings))
        if later.count() == 0:
            break
        follow(later)
    assert found == shown


def test_empty_conversation_shows_a_note(admin_page: Page, alice):
    conversation = Conversation.objects.create_with_items(owner=alice)

    watch = Watch(admin_page)
    notes = {
        "": "This conversation has no items.",
        "?view=raw": "This conversation has no items.",
        "?after=5": "This conversation has no items.",
        "?item=item_x": "This conversation has no items.",
        "?show=messages": "This conversation has no messages.",  # The next pages would show messages only, too.
    }
    for query, note in notes.items():
        admin_page.goto(transcript_path(conversation) + query)
        expect(admin_page.get_by_role("heading", name="Transcript")).to_be_visible()
        expect(admin_page.get_by_role("article")).to_have_count(0)
        expect(admin_page.locator("#transcript")).to_contain_text(note)
    assert watch.problems == []


def test_page_behind_the_last_item_shows_a_note(admin_page: Page, talk):
    admin_page.goto(transcript_path(talk) + "?after=500")
    expect(admin_page.locator("#transcript")).to_contain_text("Nothing on this page.")


def test_printed_page_shows_everything_that_is_folded_on_the_screen(admin_page: Page, alice):
    tool = {"type": "function", "name": "find_order", "parameters": {"properties": {"deep": {"enum": ["innermost"]}}}}
    talk = [
        *TALK,
        {"role": "developer", "content": "Internal instructions."},
        {"type": "mcp_list_tools", "server_label": "shop", "tools": [{"name": "refund", "input_schema": {"a": {}}}]},
        {"type": "tool_search_output", "call_id": "s", "tools": [tool]},
        {"type": "function_call", "call_id": "json", "name": "find", "arguments": '{"a": {"b": [{"c": 2}]}}'},
    ]
    conversation = Conversation.objects.create_with_items(owner=alice, items=validate_items(talk))
    hidden = """summaries => summaries
        .map(summary => summary.nextElementSibling)
        .filter(element => element && !element.closest(".conversations-menu, .conversations-long > details"))
        .filter(element => !element.checkVisibility({contentVisibilityAuto: true}))
        .map(element => element.outerHTML)"""
    summaries = admin_page.get_by_role("article").locator("summary")

    admin_page.goto(transcript_path(conversation))
    expect(admin_page.locator("#transcript details:not([open]) img")).to_have_count(1)
    assert len(summaries.evaluate_all(hidden)) > 5
    admin_page.emulate_media(media="print")
    assert summaries.evaluate_all(hidden) == []
    expect(admin_page.locator("#transcript img")).to_be_visible()
    expect(admin_page.get_by_text("innermost")).to_be_visible()
    expect(admin_page.locator(".conversations-live")).to_be_hidden()


def test_right_to_left_text_and_emoji_are_displayed(admin_page: Page, talk):
    admin_page.goto(transcript_path(talk))
    direction = "each => getComputedStyle(each).direction"
    transcript = admin_page.locator("#transcript")
    assert transcript.get_by_text("ما هو الطقس").evaluate(direction) == "rtl"
    assert transcript.get_by_text("What is the weather in").evaluate(direction) == "ltr"
    expect(transcript.get_by_text("🌦️ 👩‍👩‍👧")).to_be_visible()


@WITHOUT_JAVASCRIPT
def test_long_answer_shows_its_beginning_until_all_is_asked_for(admin_page: Page, alice):
    text = "\n\n".join(f"Paragraph {number} of a long answer." for number in range(60))
    conversation = Conversation.objects.create_with_items(
        owner=alice, items=validate_items([{"role": "assistant", "content": text}])
    )
    admin_page.goto(transcript_path(conversation))
    height = "each => each.getBoundingClientRect().height"
    beginning = admin_page.locator(".conversations-beginning")
    assert 250 < beginning.evaluate(height) < 400
    admin_page.get_by_text("Show all").click()
    assert beginning.evaluate(height) > 1_000
    admin_page.get_by_text("Show less").click()
    assert beginning.evaluate(height) < 400
    admin_page.emulate_media(media="print")
    assert beginning.evaluate(height) > 1_000
    expect(admin_page.locator("#conversation_form")).to_be_hidden()
