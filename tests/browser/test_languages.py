"""The admin in German, and from right to left in Arabic."""

import re
from datetime import date

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.urls import reverse
from playwright.sync_api import Page, expect

from conversations.models import Conversation
from conversations.schema.items import ITEM_TYPES
from tests.admin_pages import add_other_rows, list_pages, other_pages
from tests.browser.axe import serious_violations
from tests.browser.list_page import title_link
from tests.browser.pages import scrolls_sideways
from tests.browser.transcripts import create_all_item_types, transcript_path
from tests.browser.watch import Watch
from tests.catalogues import ROOT, read, texts
from tests.seed import seed_conversations

LIST = "/admin/conversations/conversation/"
NARROW, WIDE = {"width": 320, "height": 800}, {"width": 1300, "height": 800}
GERMAN = pytest.mark.browser_context_args(locale="de")
ARABIC = pytest.mark.browser_context_args(locale="ar")


@pytest.fixture
def conversation(live_server, alice) -> Conversation:
    return create_all_item_types(alice, examples=1)


@pytest.fixture
def pages(admin_user, conversation) -> dict[str, str]:
    for _ in seed_conversations(conversations=12, items_per=4, seed=1, start=date(2026, 1, 1)):
        pass
    add_other_rows(admin_user, User.objects.get(username="seed-0001"), count=5)
    call_command("refresh_overview", verbosity=0)
    lists, others = list_pages(), other_pages()
    names = ("overview", "access log", "deleted conversations", "saved views", "export of a filter")
    return {
        "list": lists["list: plain"],
        "filtered list": lists["list: three conditions"],
        "transcript": transcript_path(conversation),
        **{name: others[name] for name in names},
    }


@GERMAN
def test_list_and_transcript_are_in_german(admin_page: Page, conversation):
    admin_page.goto(f"{LIST}?metadata_key=topic&metadata_operator=eq&metadata_value=demo")
    expect(admin_page.locator("html")).to_have_attribute("lang", "de")
    expect(admin_page.get_by_role("heading", name="topic ist „demo“")).to_be_visible()
    expect(admin_page.get_by_text("1 Konversation", exact=True)).to_be_visible()
    admin_page.get_by_text("Filter", exact=True).click()
    admin_page.get_by_role("button", name="Bedingung hinzufügen").click()
    expect(admin_page.get_by_role("group", name="Bedingung 2")).to_be_visible()
    title_link(admin_page, conversation).click()
    expect(admin_page.get_by_role("heading", name="Transkript")).to_be_visible()
    expect(admin_page.get_by_role("article", name="Assistent").first).to_contain_text("A plan")
    admin_page.get_by_role("button", name="Alle zuklappen").click()
    expect(admin_page.locator("#transcript details[open]")).to_have_count(0)


@pytest.mark.parametrize(
    "language", [pytest.param("de", marks=GERMAN), pytest.param("ar", marks=ARABIC)], ids=["German", "Arabic"]
)
def test_pages_have_no_line_in_english(admin_page: Page, pages, language):
    catalogue = texts(read(ROOT / "conversations" / "locale" / language / "LC_MESSAGES" / "django.mo"))
    english = {key.lower() for key in catalogue if isinstance(key, str)} - {text.lower() for text in catalogue.values()}
    english -= ITEM_TYPES.keys()  # The overview names the API's types.
    assert len(english) > 200
    found = {}
    for name, url in pages.items():
        admin_page.goto(url)
        admin_page.locator(".conversations-block").evaluate_all("blocks => blocks.forEach(block => block.remove())")
        lines = re.split(r"[\n\t]", admin_page.locator("body").inner_text().lower())
        found[name] = english.intersection(map(str.strip, lines))
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.slow
@ARABIC
def test_arabic_pages_run_from_right_to_left_and_fit(admin_page: Page, pages):
    watch = Watch(admin_page)
    faults = {}
    for name, url in pages.items():
        for size in (WIDE, NARROW):
            admin_page.set_viewport_size(size)
            admin_page.goto(url)
            expect(admin_page.locator("html")).to_have_attribute("dir", "rtl")
            faults[name, size["width"]] = [
                *(["scrolls sideways"] if scrolls_sideways(admin_page) else []),
                *watch.problems,
                *serious_violations(admin_page),
            ]
            watch.problems.clear()  # axe violates the policy itself.
    assert {page: page_faults for page, page_faults in faults.items() if page_faults} == {}


@ARABIC
def test_code_and_messages_in_other_scripts_keep_their_direction_in_arabic(admin_page: Page, conversation):
    admin_page.goto(transcript_path(conversation))
    title = admin_page.get_by_role("heading", name="المساعد").first.bounding_box()
    message = admin_page.get_by_role("heading", name="A plan").bounding_box()
    assert message["x"] < title["x"]  # The title begins at the right, English text at the left.
    block = admin_page.locator(".conversations-copied-code").first
    code, button = block.locator("code").bounding_box(), block.get_by_role("button").bounding_box()
    assert code["x"] + code["width"] <= button["x"]
    assert block.locator("code").evaluate("code => getComputedStyle(code).direction") == "ltr"


@ARABIC
def test_days_of_the_overview_run_from_right_to_left_in_arabic(admin_page: Page, pages):
    admin_page.goto(reverse("admin:conversations_overview"))
    slots, labels = admin_page.locator(".conversations-slot"), admin_page.locator(".conversations-axis").first
    oldest, next_day = slots.nth(0).bounding_box(), slots.nth(1).bounding_box()
    assert next_day["x"] < oldest["x"]
    first, last = (labels.locator("span").nth(number).bounding_box() for number in (0, 1))
    assert last["x"] < first["x"]
