import pytest
from django.contrib.auth.models import Permission, User
from playwright.sync_api import Page, expect

from conversations.models import Conversation
from conversations.schema.items import validate_items
from tests.browser.list_page import LIST, OPTIONS, create_conversations, open_filter, rows, title_link
from tests.browser.pages import WITHOUT_JAVASCRIPT, follow
from tests.browser.watch import Watch


@pytest.fixture
def conversations(live_server, alice, bob) -> list[Conversation]:
    return create_conversations(alice, bob)


@pytest.fixture
def staff_of(live_server):
    def staff_of(*codenames: str) -> User:
        user = User.objects.create_user("staff", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        return user

    return staff_of


def tab_to(page: Page, selector: str, *, at_most: int = 40) -> int:
    """Press Tab until an element has the focus, and return how often."""
    for number in range(1, at_most + 1):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return number
    raise AssertionError(selector)


@pytest.mark.parametrize("java_script_enabled", [True, pytest.param(False, marks=WITHOUT_JAVASCRIPT)])
def test_three_conditions_can_be_entered_by_keyboard(admin_page: Page, conversations, java_script_enabled):
    conditions = [("tenant", "begins", "acme"), ("topic", "", "demo"), ("lang", "is one", "en, de")]

    admin_page.goto(LIST)
    tab_to(admin_page, "details.conversations-form summary", at_most=60)
    admin_page.keyboard.press("Enter")
    tab_to(admin_page, "[name=metadata_key]")
    for number, condition in enumerate(conditions):
        for typed in condition:
            admin_page.keyboard.type(typed)
            admin_page.keyboard.press("Tab")
        if number == 2:
            break
        assert admin_page.evaluate("document.activeElement.textContent") == "Add condition"
        admin_page.keyboard.press("Enter")
        if not java_script_enabled:  # the answer has an empty row
            expect(admin_page.locator(".conversations-condition")).to_have_count(number + 2)
            admin_page.locator("#searchbar").focus()
            for _ in range(number + 1):
                tab_to(admin_page, "[name=metadata_value]")
            tab_to(admin_page, "[name=metadata_key]")
    tab_to(admin_page, "details > button")
    admin_page.keyboard.press("Enter")
    expect(admin_page.locator(".conversations-chips li:not(.conversations-clear)")).to_have_count(3)
    expect(rows(admin_page)).to_have_count(2)
    texts = rows(admin_page).all_inner_texts()
    if java_script_enabled:
        assert admin_page.url.count("metadata_key=") == 3
        assert "owner=" not in admin_page.url
    admin_page.reload()
    assert rows(admin_page).all_inner_texts() == texts
    admin_page.get_by_role("link", name="Remove topic is “demo”").press("Enter")
    expect(rows(admin_page)).to_have_count(3)


def test_keys_and_values_are_completed_by_keyboard(admin_page: Page, conversations):
    admin_page.goto(LIST)
    open_filter(admin_page)
    key, value = admin_page.locator("[name=metadata_key]").first, admin_page.locator("[name=metadata_value]").first
    key.focus()
    options = admin_page.locator(OPTIONS)
    expect(options).to_have_count(5)
    key.press_sequentially("to")
    expect(options).to_have_text(["topic"])
    expect(key).to_have_attribute("aria-expanded", "true")
    key.press("ArrowDown")
    assert key.get_attribute("aria-activedescendant") == options.first.get_attribute("id")
    key.press("Enter")
    expect(key).to_have_value("topic")
    expect(options).to_have_count(0)
    value.press_sequentially("d")
    admin_page.wait_for_timeout(400)
    expect(options).to_have_count(0)
    value.press_sequentially("e")
    expect(options).to_have_text(["demo"])
    value.press("Escape")
    expect(options).to_have_count(0)
    expect(value).to_have_value("de")
    value.press("ArrowDown")
    expect(options).to_have_text(["demo"])
    value.press("ArrowUp")
    value.press("Enter")
    value.press("Enter")
    expect(rows(admin_page)).to_have_count(3)


def test_search_box_suggests_keys_and_values_while_typing(admin_page: Page, conversations):
    admin_page.goto(LIST)
    search = admin_page.get_by_role("combobox", name="Search", exact=True)
    option = admin_page.locator(OPTIONS)
    search.press_sequentially("lang:en -te")
    expect(option).to_have_text(["tenant"])
    search.press("ArrowDown")
    search.press("Enter")
    expect(search).to_have_value("lang:en -tenant:")
    search.press_sequentially("aj")
    expect(option).to_have_text(["ajax"])
    search.press("ArrowDown")
    search.press("Enter")
    expect(search).to_have_value("lang:en -tenant:ajax")
    search.press_sequentially(" or")
    expect(option).to_have_text(["order id"])
    search.press("ArrowDown")
    search.press("Enter")
    expect(search).to_have_value('lang:en -tenant:ajax metadata["order id"]:')
    search.press_sequentially('"67')
    expect(option).to_have_text(["6735"])
    option.click()
    expect(search).to_have_value('lang:en -tenant:ajax metadata["order id"]:6735')
    search.press("Enter")
    expect(admin_page.get_by_text("No conversations match.")).to_be_visible()
    expect(admin_page.locator(".conversations-chips")).to_contain_text("lang:en -tenant:ajax")


def test_short_id_is_copied_whole(admin_page: Page, conversations):
    admin_page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    admin_page.goto(LIST)
    short_id = rows(admin_page).first.locator(".conversations-id")
    assert short_id.evaluate("code => code.getBoundingClientRect().width") < 120
    short_id.evaluate("code => getSelection().selectAllChildren(code)")
    admin_page.keyboard.press("Control+c")
    assert admin_page.evaluate("navigator.clipboard.readText()") == conversations[0].pk
    admin_page.get_by_role("button", name=f"Copy id {conversations[1].pk}").click()
    expect(admin_page.get_by_text("Copied")).to_be_visible()
    assert admin_page.evaluate("navigator.clipboard.readText()") == conversations[1].pk


def test_list_obeys_the_csp_and_contacts_no_other_host(admin_page: Page, conversations, live_server):
    watch = Watch(admin_page)
    response = admin_page.goto(LIST)
    assert response.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
    open_filter(admin_page)
    admin_page.locator("[name=metadata_key]").first.press_sequentially("te")
    admin_page.locator(OPTIONS, has_text="tenant").click()
    admin_page.locator("[name=metadata_operator]").first.select_option("exists")
    admin_page.get_by_role("button", name="Add condition").click()
    admin_page.get_by_text("Columns", exact=True).click()
    admin_page.get_by_label("Last message").check()
    admin_page.get_by_role("combobox", name="Metadata key 1").fill("tenant")
    follow(admin_page.get_by_role("button", name="Show columns"))
    expect(admin_page.locator("tbody .field-last_message").first).to_contain_text("Where is my order?")
    expect(admin_page.locator(".conversations-chips li")).to_contain_text(["tenant is set"])
    open_filter(admin_page)
    admin_page.get_by_role("textbox", name="Owner:").fill("alice")
    follow(admin_page.get_by_role("button", name="Last 7 days"))
    expect(admin_page.locator(".conversations-chips li").nth(1)).to_contain_text("owner: alice")
    follow(title_link(admin_page, conversations[1]))
    expect(admin_page.get_by_role("article")).to_have_count(1)
    admin_page.keyboard.press("?")
    expect(admin_page.get_by_role("dialog")).to_be_visible()
    assert watch.problems == []
    assert watch.foreign_requests(live_server.url) == []


@WITHOUT_JAVASCRIPT
def test_paging_and_chips_work_without_javascript(admin_page: Page, alice, monkeypatch):
    monkeypatch.setattr("conversations.admin.ConversationAdmin.list_per_page", 2)
    for _ in range(5):
        Conversation.objects.create_with_items(owner=alice, metadata={"k": "v"})

    admin_page.goto(LIST)
    follow(admin_page.get_by_role("link", name="k = v").first)
    follow(admin_page.get_by_role("link", name="Next"))
    follow(admin_page.get_by_role("link", name="Next"))
    expect(rows(admin_page)).to_have_count(1)
    follow(admin_page.get_by_role("link", name="First"))
    follow(rows(admin_page).first.locator(".conversations-title"))
    follow(admin_page.get_by_role("navigation", name="Previous and next conversation").get_by_role("link", name="Next"))
    follow(admin_page.get_by_role("link", name="List", exact=True))
    expect(admin_page.locator(".conversations-chips")).to_contain_text("k is “v”")


def test_preview_columns_are_not_offered_without_the_read_content_permission(
    page: Page, log_in, conversations, staff_of
):
    log_in(staff_of("view_conversation"))
    page.goto(LIST)
    page.get_by_text("Columns", exact=True).click()
    expect(page.get_by_label("Owner").last).to_be_visible()
    expect(page.get_by_label("Last message")).to_have_count(0)


@pytest.mark.parametrize("width", [1280, 375])
def test_filter_form_is_collapsed_until_it_is_opened(admin_page: Page, conversations, width):
    filtered = f"{LIST}?metadata_key=topic&metadata_operator=eq&metadata_value=demo&owner=alice"

    admin_page.set_viewport_size({"width": width, "height": 900})
    form = admin_page.locator("details.conversations-form")
    for url in (LIST, filtered):
        admin_page.goto(url)
        expect(form).not_to_have_attribute("open", "")
    expect(admin_page.locator(".conversations-chips")).to_contain_text("topic is “demo”")
    expect(rows(admin_page).first).to_be_in_viewport()
    form.locator("summary").press("Enter")
    expect(admin_page.locator("[name=metadata_value]").first).to_have_value("demo")
    admin_page.goto(f"{filtered}&created_from=x")  # what is wrong is not hidden
    expect(form).to_have_attribute("open", "")


def test_metadata_pair_link_adds_its_condition(admin_page: Page, conversations):
    admin_page.goto(f"{LIST}?owner=alice")
    admin_page.get_by_role("link", name="topic = demo").first.press("Enter")
    expect(admin_page.locator(".conversations-chips li")).to_contain_text(["topic is “demo”", "owner: alice"])
    expect(rows(admin_page)).to_have_count(2)
    follow(rows(admin_page).first.locator(".conversations-title"))
    follow(admin_page.get_by_role("link", name="lang = en"))
    expect(admin_page.locator(".conversations-chips li")).to_contain_text(["topic", "lang is “en”", "owner"])
    expect(rows(admin_page)).to_have_count(1)


@pytest.mark.parametrize("java_script_enabled", [True, pytest.param(False, marks=WITHOUT_JAVASCRIPT)])
def test_every_metadata_pair_is_a_link_within_reach_of_the_keyboard(admin_page: Page, alice, java_script_enabled):
    for n in (1, 2):
        Conversation.objects.create_with_items(owner=alice, metadata={f"key {m}": f"value {m * n}" for m in range(16)})

    admin_page.goto(LIST)
    row = rows(admin_page).last
    row.locator(".conversations-pair").nth(2).focus()
    admin_page.keyboard.press("Tab")
    admin_page.keyboard.press("Enter")
    expect(row.get_by_role("link", name=" = value")).to_have_count(16)
    for _pair in range(13):
        admin_page.keyboard.press("Tab")
    with admin_page.expect_navigation():
        admin_page.keyboard.press("Enter")
    expect(admin_page.locator(".conversations-chips")).to_contain_text("key 15 is “value 15”")
    expect(rows(admin_page)).to_have_count(1)


@pytest.mark.browser_context_args(locale="de")
@pytest.mark.parametrize("width", [375, 1280])
def test_marks_leave_room_for_the_title(admin_page: Page, live_server, alice, width):
    items = [
        {"role": "user", "content": "Where is my order? " * 9},
        {"type": "function_call", "call_id": "1", "name": "find_order", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "1", "output": "Error: not found"},
        {"type": "function_call", "call_id": "2", "name": "find_order", "arguments": "{}"},
    ]
    conversation = Conversation.objects.create_with_items(owner=alice, items=validate_items(items))
    admin_page.set_viewport_size({"width": width, "height": 800})
    admin_page.goto(LIST)
    assert admin_page.locator(".conversations-mark").count() == 2
    assert title_link(admin_page, conversation).bounding_box()["width"] > 100
