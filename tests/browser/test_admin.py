import pytest
from playwright.sync_api import Page, Route, expect

from conversations.models import AccessRecord, APIKey, Conversation
from conversations.schema.items import validate_items
from tests.browser.list_page import open_filter, title_link
from tests.browser.pages import follow, scrolls_sideways
from tests.browser.watch import Watch

ITEMS = [
    {"role": "user", "content": "What is the weather in Zürich?"},
    {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city": "Zürich"}'},
    {"type": "function_call_output", "call_id": "c1", "output": '{"degrees": 21}'},
    {"role": "assistant", "content": "It is 21 degrees."},
]

# Presses the button of a form again while the first request runs, and returns whether the form is busy.
PRESS_TWICE = """async () => {
  const form = document.querySelector("#content form");
  for (let press = 0; press < 2; press += 1) {
    form.querySelector("[type=submit]").click();
    await new Promise((done) => setTimeout(done, 300));
  }
  return form.getAttribute("aria-busy");
}"""


@pytest.fixture
def demo(live_server, alice) -> Conversation:
    Conversation.objects.create_with_items(owner=alice, metadata={"topic": "other"})
    return Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"}, items=validate_items(ITEMS))


def test_staff_log_in_and_find_a_transcript_by_metadata(page: Page, admin_user, demo):
    page.goto("/admin/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("password")
    follow(page.get_by_role("button", name="Log in"))
    follow(page.get_by_role("link", name="Conversations", exact=True).last)
    expect(page.locator("#result_list tbody tr")).to_have_count(2)
    open_filter(page)
    page.get_by_role("combobox", name="Key:").fill("topic")
    page.get_by_role("combobox", name="Value:").fill("demo")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    follow(title_link(page, demo))
    articles = page.get_by_role("article")
    expect(articles).to_have_count(3)  # The output of the call stands in its box.
    expect(articles.nth(0)).to_contain_text("What is the weather in Zürich?")
    expect(page.get_by_role("article", name="Function call weather")).to_contain_text('"city": "Zürich"')
    expect(page.get_by_role("article", name="Assistant")).to_contain_text("It is 21 degrees.")


def test_pages_fit_a_narrow_screen(admin_page: Page, alice):
    long = "https://example.com/" + "a" * 400
    items = validate_items([*ITEMS, {"role": "user", "content": long}])
    conversation = Conversation.objects.create_with_items(owner=alice, metadata={"k" * 64: "v" * 512}, items=items)

    admin_page.set_viewport_size({"width": 375, "height": 800})
    admin_page.goto("/admin/conversations/conversation/?metadata_key=a&metadata_value=" + "v" * 100)
    assert not scrolls_sideways(admin_page)
    admin_page.goto("/admin/conversations/conversation/")
    assert not scrolls_sideways(admin_page)
    follow(title_link(admin_page, conversation))
    expect(admin_page.get_by_role("article")).to_have_count(4)
    assert not scrolls_sideways(admin_page)
    for color_scheme, color in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(18, 18, 18)")):
        admin_page.emulate_media(color_scheme=color_scheme)
        expect(admin_page.locator("body")).to_have_css("background-color", color)
    follow(admin_page.locator(".deletelink"))
    expect(admin_page.get_by_text("5 items")).to_be_visible()
    assert not scrolls_sideways(admin_page)


def test_a_conversation_is_deleted_after_confirmation(admin_page: Page, demo):
    admin_page.goto("/admin/conversations/conversation/")
    admin_page.get_by_role("row", name=demo.pk).get_by_role("checkbox").check()
    expect(admin_page.get_by_text("1 of 2 selected")).to_be_visible()
    admin_page.get_by_label("Action:").select_option("delete_selected")
    admin_page.locator(".actions button").click()
    expect(admin_page.get_by_role("link", name="What is the weather in Zürich?")).to_be_visible()
    admin_page.get_by_label("Type the number 1 to confirm:").fill("1")
    admin_page.get_by_role("button", name="Delete").click()
    expect(admin_page.get_by_text("Deleted 1 conversation.")).to_be_visible()
    assert Conversation.objects.get().metadata == {"topic": "other"}


def test_the_secret_of_a_new_key_is_shown_until_the_next_page(admin_page: Page, alice):
    admin_page.goto("/admin/conversations/apikey/add/")
    admin_page.get_by_label("Username:", exact=True).fill("alice")
    admin_page.get_by_label("Name:", exact=True).fill("laptop")
    follow(admin_page.get_by_role("button", name="Save", exact=True))
    secret = admin_page.locator(".conversations-secret").inner_text()
    admin_page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    admin_page.get_by_role("button", name="Copy").click()
    expect(admin_page.get_by_role("button", name="Copied")).to_be_visible()
    assert admin_page.evaluate("navigator.clipboard.readText()") == secret
    admin_page.reload()
    expect(admin_page.locator(".conversations-secret")).to_have_count(0)
    expect(admin_page.get_by_label("Name")).to_have_value("laptop")
    assert APIKey.authenticate(secret) == APIKey.objects.get()


def test_form_is_busy_while_its_request_runs_and_is_sent_once(admin_page: Page, alice):
    key, _secret = APIKey.create(user=alice)
    waiting: list[Route] = []

    admin_page.goto(f"/admin/conversations/apikey/{key.pk}/revoke/")
    admin_page.route("**/revoke/", lambda route: waiting.append(route))
    assert admin_page.evaluate(PRESS_TWICE) == "true"
    assert len(waiting) == 1
    with admin_page.expect_navigation():
        waiting[0].continue_()
    expect(admin_page.get_by_text("Revoked 1 API key.")).to_be_visible()
    assert AccessRecord.objects.filter(action=AccessRecord.Action.KEY_REVOKED).count() == 1


def test_page_of_a_download_is_ready_again(admin_page: Page, demo):
    admin_page.goto("/admin/conversations/conversation/export/")
    form = admin_page.locator("#content form")
    for _time in range(2):
        with admin_page.expect_download():
            admin_page.get_by_role("button", name="Download").click()
        expect(form).not_to_have_attribute("aria-busy", "true")


def test_favicon_is_loaded_under_the_policy(page: Page, live_server):
    watch = Watch(page)
    page.goto("/admin/login/")
    icon = page.locator("link[rel=icon]").get_attribute("href")
    assert icon
    size = page.evaluate(
        "url => new Promise((done, fail) => Object.assign(new Image(),"
        " {src: url, onload: event => done(event.target.naturalWidth), onerror: fail}))",
        icon,
    )
    assert size > 0
    assert watch.problems == []
