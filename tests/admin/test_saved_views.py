import re
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils.http import urlencode

from conversations.models import Conversation, SavedView
from tests.queries import CapturedQueries

LIST_URL = reverse("admin:conversations_conversation_changelist")
ADD_URL = reverse("admin:conversations_savedview_add")
VIEWS_URL = reverse("admin:conversations_savedview_changelist")
TOPIC = (("metadata_key", "topic"), ("metadata_operator", "eq"), ("metadata_value", "demo"))


def view_url(page: str, view: SavedView) -> str:
    return reverse(f"admin:conversations_savedview_{page}", args=[view.pk])


def listed_ids(response) -> list[str]:
    return [conversation.pk for conversation in response.context["cl"].result_list]


def messages(response) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def parameters(response) -> list[tuple[str, str]]:
    """Return the query parameters of the URL that the redirects led to."""
    return parse_qsl(urlsplit(response.redirect_chain[-1][0]).query, keep_blank_values=True)


@pytest.fixture
def staff(staff_client) -> Client:
    return staff_client("view_conversation")


@pytest.fixture
def user(staff) -> User:
    return User.objects.get(username="staff")


@pytest.fixture
def conversations(alice, bob) -> list[Conversation]:
    return [
        Conversation.objects.create_with_items(owner=owner, metadata={"topic": topic})
        for owner, topic in [(alice, "demo"), (bob, "demo"), (alice, "other")]
    ]


def test_filters_and_order_of_the_list_are_saved_as_a_view(staff, user, conversations):
    query = [("q", "-topic:other"), *TOPIC, ("owner", "alice"), ("o", "title"), ("after", conversations[2].pk)]
    page = staff.get(LIST_URL, query)
    sent = {"name": "Demo of alice", "query_string": page.context["cl"].view_to_save}
    response = staff.post(ADD_URL, sent, follow=True)
    assert listed_ids(response) == [conversations[0].pk]
    view = SavedView.objects.get()
    assert (view.owner, view.name, view.is_shared, view.is_default) == (user, "Demo of alice", False, False)
    assert parse_qsl(view.query_string) == [("q", "-topic:other"), *TOPIC, ("owner", "alice"), ("o", "title")]
    assert parameters(response) == [*parse_qsl(view.query_string), ("view", str(view.pk))]


def test_list_has_a_form_to_save_the_view(staff, conversations):
    html = staff.get(LIST_URL, [*TOPIC, ("before", conversations[0].pk)]).content.decode()
    assert f'<form method="post" action="{ADD_URL}"><input type="hidden" name="csrfmiddlewaretoken"' in html
    assert f'name="query_string" value="{urlencode(TOPIC).replace("&", "&amp;")}"' in html


def test_saving_without_csrf_token_is_refused(admin_user):
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    assert client.post(ADD_URL, {"name": "x", "query_string": ""}).status_code == 403
    assert not SavedView.objects.exists()


def test_cursor_and_current_view_are_not_saved(staff):
    places = {"after": "conv_1", "before": "conv_1", "last": "1", "view": "7", "p": "3", "e": "1", "_popup": "1"}
    staff.post(ADD_URL, {"name": "x", "query_string": f"?{urlencode({**places, 'owner': 'alice'})}"})
    assert SavedView.objects.get().query_string == "owner=alice"


def test_columns_are_saved_and_restored_with_a_view(staff, conversations):
    page = staff.get(LIST_URL, {"columns": ["owner"], "column_key": ["topic", "tenant"]}, follow=True)
    staff.post(ADD_URL, {"name": "x", "query_string": page.context["cl"].view_to_save})
    staff.get(LIST_URL, {"columns": ["item_count"]}, follow=True)
    page = staff.get(view_url("open", SavedView.objects.get()), follow=True)
    headers = page.context["cl"].list_display
    assert [headers[0], headers[1].__name__] == ["title", "owner"]
    assert [column.short_description for column in headers[2:]] == ["topic", "tenant"]


def test_duplicate_view_name_is_a_form_error(staff, user, alice):
    SavedView.objects.create(owner=user, name="open")
    SavedView.objects.create(owner=alice, name="new", is_shared=True)
    response = staff.post(ADD_URL, {"name": " open ", "query_string": "owner=alice"})
    assert "A view with this name exists" in response.content.decode()
    assert SavedView.objects.filter(owner=user).count() == 1
    staff.post(ADD_URL, {"name": "new", "query_string": ""})
    assert SavedView.objects.filter(owner=user).count() == 2


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("refund OR", "“refund OR” is incomplete: add a condition after OR."),
        ("mail erika@example.com", 'Put text in quotes to search for it: mail "erika@example.com"'),
    ],
)
def test_view_of_a_query_that_is_not_strict_says_what_to_write_instead(staff, query, message):
    response = staff.post(ADD_URL, {"name": "x", "query_string": urlencode({"q": query})})
    assert response.context["adminform"].form.errors["query_string"] == [message]
    assert not SavedView.objects.exists()


@pytest.mark.parametrize("sent", [{"name": ""}, {"name": "x" * 101}, {"name": "x", "query_string": "a=1&" * 1500}])
def test_invalid_view_is_a_form_error(staff, sent):
    response = staff.post(ADD_URL, {"query_string": "", **sent})
    assert response.status_code == 200
    assert "Please correct the error" in response.content.decode()
    assert not SavedView.objects.exists()


def test_sharing_requires_the_share_permission(staff_client):
    client = staff_client("view_conversation")
    client.post(ADD_URL, {"name": "x", "query_string": "", "is_shared": "on"})
    view = SavedView.objects.get()
    client.post(view_url("change", view), {"name": "y", "query_string": "", "is_shared": "on"})
    view.refresh_from_db()
    assert (view.name, view.is_shared) == ("y", False)
    assert 'name="is_shared"' not in client.get(LIST_URL).content.decode()


def test_shared_view_is_visible_to_others_but_changed_by_its_owner_only(staff_client, alice):
    client = staff_client("view_conversation", "share_savedview")
    assert 'name="is_shared"' in client.get(LIST_URL).content.decode()
    client.post(ADD_URL, {"name": "Of staff", "query_string": "owner=alice", "is_shared": "on"})
    view = SavedView.objects.get()
    assert view.is_shared
    other = User.objects.create_user("other", is_staff=True)
    other.user_permissions.set(User.objects.get(username="staff").user_permissions.all())
    client.force_login(other)
    html = client.get(LIST_URL).content.decode()
    assert view_url("open", view) in html
    assert "by staff" in html
    assert parameters(client.get(view_url("open", view), follow=True))[0] == ("owner", "alice")
    for page in ("change", "delete"):
        client.post(view_url(page, view), {"name": "Mine", "query_string": "", "post": "yes"})
    assert SavedView.objects.get().name == "Of staff"
    assert "Of staff" not in client.get(VIEWS_URL).content.decode()


def test_private_view_cannot_be_opened_by_others(staff, alice):
    view = SavedView.objects.create(owner=alice, name="secret", query_string="owner=alice")
    response = staff.get(view_url("open", view), follow=True)
    assert messages(response) == ["This view was deleted or is no longer shared."]
    assert parameters(response) == [("view", "all")]
    assert "secret" not in response.content.decode()


def test_superusers_see_and_change_all_views(admin_client, alice):
    view = SavedView.objects.create(owner=alice, name="of alice", query_string="owner=alice")
    html = admin_client.get(VIEWS_URL).content.decode()
    assert ">of alice</a>" in html
    assert ">owner: alice</a>" in html
    admin_client.post(view_url("change", view), {"name": "renamed", "query_string": "", "is_shared": "on"})
    view.refresh_from_db()
    assert (view.owner, view.name, view.is_shared) == (alice, "renamed", True)


def test_view_can_be_renamed_made_default_and_deleted(staff, user):
    view = SavedView.objects.create(owner=user, name="old", query_string="owner=alice")
    staff.post(view_url("change", view), {"name": "new", "query_string": view.query_string, "is_default": "on"})
    view.refresh_from_db()
    assert (view.name, view.is_default, view.query_string) == ("new", True, "owner=alice")
    staff.post(view_url("delete", view), {"post": "yes"})
    assert not SavedView.objects.exists()


def test_filter_of_a_view_is_shown_as_the_list_shows_it(staff, user):
    view = SavedView.objects.create(owner=user, name="x", query_string=f"{urlencode(TOPIC)}&type=function_call")
    link = f'<a href="{view_url("open", view)}">topic is “demo”, item type: Function call</a>'
    assert link in staff.get(VIEWS_URL).content.decode()
    html = staff.get(view_url("change", view)).content.decode()
    assert link in html
    assert html.index(link) < html.index("URL parameters</h2>") < html.index('name="query_string"')
    assert "<details" not in staff.get(ADD_URL).content.decode()


def test_many_views_are_folded_after_five_and_the_current_one(staff, user, conversations):
    views = [SavedView.objects.create(owner=user, name=f"view {n}", query_string="q=a") for n in range(9)]

    def names(html: str) -> list[str]:
        return re.findall(r"/open/\"[^>]*>(view \d)", html)

    shown, folded = staff.get(LIST_URL).content.decode().split("<summary>4 more</summary>")
    assert names(shown) == [f"view {n}" for n in range(5)]
    assert names(folded) == [f"view {n}" for n in range(5, 9)]
    shown, folded = staff.get(view_url("open", views[7]), follow=True).content.decode().split("<summary>3 more<")
    assert names(shown)[5:] == ["view 7"]
    assert names(folded) == ["view 5", "view 6", "view 8"]
    overview = staff.get(reverse("admin:conversations_overview")).content.decode()
    assert len(re.findall(r"\?view=\d+", overview.split("<summary>4 more</summary>")[1])) == 4


def test_default_view_applies_to_the_list_without_parameters(staff, user, conversations):
    view = SavedView.objects.create(owner=user, name="x", query_string=urlencode(TOPIC), is_default=True)
    response = staff.get(LIST_URL, follow=True)
    assert listed_ids(response) == [conversations[1].pk, conversations[0].pk]
    assert parameters(response) == [*TOPIC, ("view", str(view.pk))]
    assert listed_ids(staff.get(LIST_URL, {"owner": "bob"}, follow=True)) == [conversations[1].pk]
    view.is_default = False
    view.save()
    assert len(listed_ids(staff.get(LIST_URL, follow=True))) == 3


def test_all_conversations_link_leaves_the_default_view(staff, user, conversations):
    SavedView.objects.create(owner=user, name="x", query_string=urlencode(TOPIC), is_default=True)
    page = staff.get(LIST_URL, follow=True)
    response = staff.get(LIST_URL + page.context["all_conversations_url"], follow=True)
    assert len(listed_ids(response)) == 3
    assert response.redirect_chain == []


def test_removing_the_last_condition_does_not_reapply_the_default_view(staff, user, conversations):
    SavedView.objects.create(owner=user, name="x", query_string=urlencode(TOPIC), is_default=True)
    page = staff.get(LIST_URL, follow=True)
    [chip] = page.context["cl"].form.chips
    response = staff.get(LIST_URL + chip.remove_url, follow=True)
    assert len(listed_ids(response)) == 3


def test_empty_default_view_does_not_redirect_endlessly(staff, user, conversations):
    SavedView.objects.create(owner=user, name="x", is_default=True)
    assert len(listed_ids(staff.get(LIST_URL, follow=True))) == 3


def test_current_view_is_marked_until_the_filters_change(staff, user, conversations):
    view = SavedView.objects.create(owner=user, name="x", query_string=urlencode(TOPIC))
    marked = f'<a href="{view_url("open", view)}" aria-current="page">'
    response = staff.get(view_url("open", view), follow=True)
    assert marked in response.content.decode()
    assert view_url("change", view) in response.content.decode()
    changed = staff.get(LIST_URL, [*TOPIC, ("owner", "alice"), ("view", view.pk)])
    assert marked not in changed.content.decode()


@pytest.mark.parametrize(
    ("obsolete", "label"),
    [
        ([("owner", "carol")], "owner: carol"),
        ([("q", "topic:(")], "topic:("),
        ([("q", "a:b"), ("q", "topic:demo")], "topic:demo"),
        ([("metadata_key", "topic"), ("metadata_operator", "resembles"), ("metadata_value", "x")], "topic resembles"),
        ([("metadata_key", ""), ("metadata_operator", "exists"), ("metadata_value", "")], "is set"),
        ([("created_from", "yesterday")], "yesterday"),
        ([("created_from", "2026-02-30")], "2026-02-30"),
        ([("color", "red")], "color: red"),
        ([("items__data__contains", "x")], "items__data__contains: x"),
        ([("owner__password__startswith", "m")], "owner__password__startswith: m"),
        ([("columns", "mood")], "columns: mood"),
        ([("owner", "a\x00")], "owner: a"),
    ],
)
def test_obsolete_conditions_of_a_view_are_reported_and_dropped(staff, user, conversations, obsolete, label):
    valid = [("created_to", "2200-01-01"), ("o", "title")]
    view = SavedView.objects.create(owner=user, name="Old", query_string=urlencode([*obsolete, *valid]))
    response = staff.get(view_url("open", view), follow=True)
    [message] = messages(response)
    assert message.startswith("View “Old” refers to something that no longer exists and ignores it: ")
    assert label in message
    assert response.status_code == 200
    assert parameters(response)[-3:] == [*valid, ("view", str(view.pk))]
    assert not response.context["cl"].form.errors
    if obsolete[0] != ("q", "a:b"):
        assert len(listed_ids(response)) == 3
    view.refresh_from_db()
    assert parse_qsl(view.query_string, keep_blank_values=True) == [*obsolete, *valid]


def test_condition_on_a_deleted_owner_is_dropped(staff, user, conversations):
    User.objects.create_user("carol")
    view = SavedView.objects.create(owner=user, name="x", query_string=urlencode([("owner", "carol"), *TOPIC]))
    assert listed_ids(staff.get(view_url("open", view), follow=True)) == []
    User.objects.get(username="carol").delete()
    response = staff.get(view_url("open", view), follow=True)
    assert listed_ids(response) == [conversations[1].pk, conversations[0].pk]
    assert "owner: carol" in messages(response)[0]


def test_incomplete_condition_does_not_affect_the_others(staff, user, conversations):
    torn = [*TOPIC, ("metadata_key", "a"), ("owner", "alice")]
    view = SavedView.objects.create(owner=user, name="x", query_string=urlencode(torn))
    response = staff.get(view_url("open", view), follow=True)
    assert parameters(response) == [("owner", "alice"), ("view", str(view.pk))]
    assert len(messages(response)) == 1


@pytest.mark.parametrize("query_string", ["a=1&" * 1500, "%ff%00=%ff", "&&&=", "=", "q", "\x01"])
def test_view_with_a_malformed_query_string_can_be_opened(staff, user, conversations, query_string):
    view = SavedView.objects.create(owner=user, name="x", query_string=query_string)
    assert staff.get(view_url("open", view), follow=True).status_code == 200
    assert staff.get(LIST_URL).status_code == 200
    assert staff.get(VIEWS_URL).status_code == 200


def test_saved_views_require_the_view_conversation_permission(staff_client, alice):
    client = staff_client("view_apikey")
    view = SavedView.objects.create(owner=User.objects.get(username="staff"), name="x")
    for url in (ADD_URL, VIEWS_URL, view_url("change", view), view_url("open", view), view_url("delete", view)):
        assert client.get(url).status_code == 403, url


def test_view_bar_takes_a_constant_number_of_queries(staff, user, alice):
    def queries() -> int:
        with CapturedQueries(connection) as captured:
            assert staff.get(LIST_URL).status_code == 200
        return len(captured)

    few = queries()
    for number in range(20):
        SavedView.objects.create(owner=[user, alice][number % 2], name=str(number), is_shared=True)
    assert queries() == few


def test_view_with_the_column_that_the_title_replaced_opens_without_a_warning(staff, user, conversations):
    view = SavedView.objects.create(owner=user, name="Old", query_string="columns=first_message&columns=owner")
    response = staff.get(view_url("open", view), follow=True)
    assert messages(response) == []
    assert [column.__name__ for column in response.context["cl"].list_display[1:]] == ["owner"]
