import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.urls import path, reverse
from django.utils import timezone
from django.utils.formats import date_format

from conversations.admin import ConversationAdmin
from conversations.deletion import delete_conversation
from conversations.models import AccessRecord, APIKey, Conversation, Item, Overview
from conversations.overview.report import MAX_NEW_CONVERSATIONS
from conversations.schema.items import validate_items
from tests.browser.transcripts import create_all_item_types
from tests.queries import CapturedQueries
from tests.seed import seed_conversations

URL = reverse("admin:conversations_overview")
LIST_URL = reverse("admin:conversations_conversation_changelist")
BAR = re.compile(
    r'<th scope="row"><a href="(?P<url>[^"]+)">(?P<label>[^<]*)</a>(?: \(so far\))?</th>'
    r"\s*<td[^>]*>(?P<count>[\d,]+)</td>"
)
DAY = re.compile(r'<a href="(?P<url>[^"]+)" aria-label="(?P<label>[^"]+): (?P<count>[\d,]+)">')
ITEMS = validate_items([{"role": "user", "content": "hi"}])
ODD = {'the "best" one': 'say "yes"', " spaces ": "  ", "empty": "", "注文": "a, b", "%": "&+#?", "<b>": "</svg>"}

own_site = AdminSite(name="backoffice")
own_site.register(Conversation, type("OwnConversationAdmin", (ConversationAdmin,), {"overview_days": (14, 1)}))
other_site = AdminSite(name="other")
other_site.register(APIKey)
urlpatterns = [path("desk/", own_site.urls), path("other/", other_site.urls)]


@pytest.fixture
def seeded_database(db):
    start = timezone.localdate() + timedelta(days=1)
    for _ in seed_conversations(conversations=400, items_per=2, seed=1, start=start):
        pass
    Conversation.objects.filter(created_at__gt=timezone.now()).delete()


@pytest.fixture
def short_list_pages(monkeypatch) -> None:
    """Let the list render one row, but still count them all."""
    monkeypatch.setattr(ConversationAdmin, "list_per_page", 1)


def number(text: str) -> int:
    return int(text.replace(",", ""))


def links(html: str) -> dict[str, tuple[str, int]]:
    """Return the URL of each bar, with its label and count."""
    matches = [*BAR.finditer(html), *DAY.finditer(html)]
    return {unescape(match["url"]): (unescape(match["label"]), number(match["count"])) for match in matches}


@pytest.mark.slow
@pytest.mark.parametrize("days", [7, 30, 90])
def test_each_bar_links_to_a_list_with_the_same_count(admin_client, seeded_database, alice, days, short_list_pages):
    call_command("refresh_overview", verbosity=0)
    for _ in range(2):
        Conversation.objects.create_with_items(owner=alice, metadata=ODD)
    figures = links(admin_client.get(URL, {"days": days}).content.decode())
    assert len([url for url in figures if "owner=" in url]) == 10
    assert len([url for url in figures if "exists" in url]) == 10
    assert len([url for url in figures if "=eq&" in url]) > 5
    assert days >= len([url for url in figures if "created" in url]) > days / 2
    for url, (label, count) in figures.items():
        if "tool" not in url:  # A conversation may call a tool more than once.
            assert admin_client.get(url).context["cl"].result_count == count > 0, (url, label)


def test_unusual_keys_and_values_link_to_their_lists(admin_client, alice):
    for _ in range(2):
        Conversation.objects.create_with_items(owner=alice, metadata=ODD)
    Conversation.objects.create_with_items(owner=alice)
    figures = links(admin_client.get(URL).content.decode())
    assert {label for label, _ in figures.values()} >= {*ODD, *ODD.values()} - {""} | {"(empty)"}
    for url, (label, count) in figures.items():
        assert (
            admin_client.get(url).context["cl"].result_count == count == (3 if "20" in label or label == "alice" else 2)
        )


@pytest.mark.slow
@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/New_York"])
def test_days_are_counted_in_the_project_time_zone_which_is_shown(
    admin_client, seeded_database, short_list_pages, settings, zone
):
    settings.TIME_ZONE = zone
    call_command("refresh_overview", verbosity=0)
    html = admin_client.get(URL).content.decode()
    assert f"({zone})." in html
    figures = {url: count for url, (_, count) in links(html).items() if "created" in url}
    assert len(figures) > 15
    for url, count in figures.items():
        assert admin_client.get(url).context["cl"].result_count == count


@pytest.mark.slow
def test_days_keep_their_time_zone_until_the_next_refresh(admin_client, seeded_database, short_list_pages, settings):
    settings.TIME_ZONE = "Pacific/Auckland"
    call_command("refresh_overview", verbosity=0)
    settings.TIME_ZONE = "America/New_York"
    html = admin_client.get(URL).content.decode()
    assert "(Pacific/Auckland)." in html
    figures = {url: count for url, (_, count) in links(html).items() if "created" in url}
    assert len(figures) > 15
    for url, count in figures.items():
        assert admin_client.get(url).context["cl"].result_count == count


def test_each_chart_has_a_table_with_the_same_figures(admin_client, seeded_database, alice):
    Conversation.objects.create_with_items(owner=alice)
    html = admin_client.get(URL).content.decode()
    by_day = html[html.index('role="group"') : html.index("</figure>")]
    bars = {label.removesuffix(" (so far)"): number(count) for _url, label, count in DAY.findall(by_day)}
    rows = {label: number(count) for _url, label, count in BAR.findall(by_day)}
    assert bars == rows
    assert list(bars)[-1] == date_format(timezone.localdate())
    assert sum(bars.values()) > 20
    assert html.count("<svg class=") == 3
    assert html.count("</figure>") == 3
    first = timezone.localdate() - timedelta(days=29)
    items = html[html.index("Items per day") :]
    items = items[: items.index("</figure>")]
    counts = [number(count) for count in re.findall(r"</th><td>([\d,]+)</td>", items)]
    assert len(counts) == 30
    assert sum(counts) == Item.objects.filter(created_at__date__gte=first).count() > 0


def test_item_types_have_the_names_of_the_transcript_and_the_rare_ones_are_folded(admin_client, alice):
    create_all_item_types(alice, examples=1)
    types = admin_client.get(URL).context["types"]
    assert (types.bars[0].label, types.bars[0].title) == ("Message", "message")
    assert "Function call" in {bar.label for bar in types.bars}
    html = admin_client.get(URL).content.decode()
    html = html[html.index("Item types") : html.index("Busiest tools")]
    first, others = html.split("<details>")
    assert f"<summary>{len(types.bars) - 8} more<" in others
    assert '<th scope="row" title="message">Message</th>' in first
    assert (first.count('<th scope="row'), others.count('<th scope="row')) == (8, len(types.bars) - 8)


def test_overview_takes_a_constant_number_of_queries(admin_client, seeded_database, alice):
    def queries() -> list[str]:
        with CapturedQueries(connection) as captured:
            assert admin_client.get(URL, {"days": 90}).status_code == 200
        return [query["sql"] for query in captured]

    def add(number: int) -> None:
        for _ in range(number):
            Conversation.objects.create_with_items(owner=alice, metadata=ODD, items=ITEMS)

    add(1)
    unrefreshed = len(queries())
    call_command("refresh_overview", verbosity=0)
    few = len(queries())
    add(30)
    assert unrefreshed == few == len(queries()) <= 28
    for sql in queries():
        if "FROM" in sql and re.search(r"FROM .conversations_(conversation|item|metadatapair)\b", sql):
            # The items are grouped up to the last one of those that a LIMIT found.
            assert re.search(r"LIMIT \d+( OFFSET \d+)?$|id. > \d+.* GROUP BY ", sql), sql


@pytest.mark.parametrize(("parameter", "days"), [("", 30), ("7", 7), ("90", 90), ("8", 30), ("x", 30), ("-1", 30)])
def test_days_parameter_accepts_three_values(admin_client, parameter, days):
    response = admin_client.get(URL, {"days": parameter})
    assert len(response.context["by_day"][0].bars) == days
    assert f'<a href="?days={days}" aria-current="true">{days} days</a>' in response.content.decode()
    assert response.content.decode().count('aria-current="true"') == 1


def test_empty_database_has_an_overview(admin_client):
    html = admin_client.get(URL).content.decode()
    assert "Nothing to show." in html
    assert "Live count." in html
    assert "No conversations in this period" in html


def test_page_shows_when_it_was_counted_and_whether_it_is_incomplete(admin_client, alice):
    call_command("refresh_overview", verbosity=0)
    Overview.objects.update(counted_at=timezone.now() - timedelta(days=400))
    html = admin_client.get(URL).content.decode()
    [date, time] = re.findall(r"Updated (.*), (\d\d:\d\d) \(UTC\). Deletions appear overnight", html)[0]
    assert date == date_format(timezone.localdate() - timedelta(days=400))
    assert "still being counted" not in html
    now = timezone.now()
    Conversation.objects.bulk_create(
        [Conversation(owner=alice, created_at=now) for _ in range(MAX_NEW_CONVERSATIONS + 1)]
    )
    html = admin_client.get(URL).content.decode()
    assert f"Figures are from {date}, {time}. Newer ones are still being counted." in html
    now = timezone.now()
    Overview.objects.update(counted_at=now)
    html = admin_client.get(URL).content.decode()
    assert f"Figures are from {now:%H:%M}. Newer ones are still being counted." in html


def test_overview_requires_only_the_view_permission(staff_client, alice):
    content = "planted-words"
    items = validate_items([{"role": "user", "content": content}])
    Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"}, items=items)
    client = staff_client("view_conversation")
    html = client.get(URL).content.decode()
    assert "demo" in html
    assert content not in html
    assert not AccessRecord.objects.exists()
    User.objects.get(username="staff").user_permissions.clear()
    assert client.get(URL).status_code == 403


def test_anonymous_user_is_redirected_to_the_login(client, db):
    response = client.get(URL)
    assert response.status_code == 302
    assert response["location"].startswith("/admin/login/")


def test_conversation_list_and_app_index_link_to_the_overview(admin_client):
    assert f'<a href="{URL}">Overview</a>' in admin_client.get(LIST_URL).content.decode()
    assert f'<a href="{URL}">Overview</a>' in admin_client.get("/admin/conversations/").content.decode()


def test_app_index_does_not_link_to_the_overview_without_permission(staff_client):
    html = staff_client("view_apikey").get("/admin/conversations/").content.decode()
    assert "API keys" in html
    assert URL not in html


def test_deleted_owner_has_no_link(admin_client, seeded_database):
    call_command("refresh_overview", verbosity=0)
    owner = User.objects.get(username="seed-0001")
    for conversation in owner.conversations.all():
        delete_conversation(conversation)
    owner.delete()
    html = admin_client.get(URL).content.decode()
    assert '<th scope="row">a deleted user</th>' in html
    assert len([url for url in links(html) if "owner=" in url]) == 9


def test_svg_attributes_are_not_localized(admin_client, seeded_database, settings):
    settings.LANGUAGE_CODE = "de"
    settings.USE_THOUSAND_SEPARATOR = True
    html = admin_client.get(URL, {"days": 90}).content.decode()
    measures = re.findall(
        r' (?:x|y|width|height|viewBox)="([^"]*)"', html[html.index("conversations-days") : html.index("<footer")]
    )
    assert len(measures) > 700
    assert "0 0 900 100" in measures
    assert not [measure for measure in measures if re.search(r"[^\d ]", measure)]
    assert re.search(r'aria-label="\d+,\d %"', html)


@pytest.mark.urls(__name__)
def test_custom_admin_site_has_the_overview_if_conversations_are_registered(admin_client, alice):
    Conversation.objects.create_with_items(owner=alice)
    url = "/desk/conversations/conversation/overview/"
    response = admin_client.get(url)
    assert len(response.context["by_day"][0].bars) == 14
    urls = list(links(response.content.decode()))
    assert len(urls) == 2
    for list_url in urls:
        assert list_url.startswith("/desk/conversations/conversation/?")
        assert admin_client.get(list_url).context["cl"].result_count == 1
    assert f'<a href="{url}">Overview</a>' in admin_client.get("/desk/conversations/").content.decode()
    assert ">Overview<" not in admin_client.get("/other/conversations/").content.decode()
