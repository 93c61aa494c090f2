import re
from urllib.parse import parse_qsl

import pytest
from django.urls import reverse

from conversations.admin.base import EMPTY
from conversations.admin.content import previews
from conversations.models import AccessRecord, Conversation, Preferences
from conversations.schema.items import validate_items

URL = reverse("admin:conversations_conversation_changelist")
DEFAULT = ["title", "last_item", "owner", "item_count", "short_id"]
PREVIEWS = {"columns": ["", "last_message"]}


def columns(response) -> list[str]:
    return re.findall(r'<th scope="col" class="(?:sortable )?column-(\w+)', response.content.decode())


def cells(response, column: str) -> list[str]:
    return re.findall(rf'<td class="field-{column}[^"]*">(.*?)</td>', response.content.decode(), re.S)


def titles(response) -> list[str]:
    return re.findall(r'<a class="conversations-title"[^>]*>(.*?)</a>', response.content.decode())


def message(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}


@pytest.fixture
def talk(alice) -> Conversation:
    items = [
        {"type": "reasoning", "id": "rs_1", "summary": []},
        message("user", "What  is\nthe <b>weather</b>?"),
        {"type": "function_call", "call_id": "c", "name": "weather", "arguments": "{}"},
        message("assistant", "x" * 300),
        {"type": "function_call_output", "call_id": "c", "output": "{}"},
    ]
    return Conversation.objects.create_with_items(owner=alice, metadata={"tenant": "acme"}, items=validate_items(items))


def test_chosen_columns_are_saved_and_removed_from_the_url(admin_client, talk):
    assert columns(admin_client.get(URL)) == DEFAULT
    chosen = {"columns": ["", "owner", "last_item"], "column_key": ["tenant", "none <b>", ""], "owner": "alice"}
    response = admin_client.get(URL, chosen)
    assert response.url == "?owner=alice"
    again = admin_client.get(URL)
    assert columns(again) == ["title", "last_item", "owner", "metadata_value", "metadata_value"]
    first, second = cells(again, "metadata_value")
    assert (re.sub("<[^>]*>", "", first), second) == ("acme", EMPTY)
    assert "None &lt;b&gt;" in again.content.decode()
    admin_client.get(URL, {"columns": ""})
    assert columns(admin_client.get(URL)) == ["title"]


def test_row_without_any_chosen_column_still_has_its_title(admin_client, staff_client, talk):
    admin_client.get(URL, {"columns": ""})
    assert titles(admin_client.get(URL)) == ["What is the &lt;b&gt;weather&lt;/b&gt;?"]
    viewer = staff_client("view_conversation")
    viewer.get(URL, {"columns": ""})
    response = viewer.get(URL)
    assert columns(response) == ["title"]
    assert titles(response) == [f"conv_…{talk.pk[-6:]}"]


def test_unknown_columns_are_ignored(admin_client, talk):
    admin_client.get(
        URL, {"columns": ["password", "__class__", "owner"], "column_key": ["k" * 65, *map(str, range(20))]}
    )
    assert columns(admin_client.get(URL)) == ["title", "owner", *["metadata_value"] * 8]


def test_previews_show_the_start_of_the_first_and_last_message(admin_client, talk):
    response = admin_client.get(URL, PREVIEWS, follow=True)
    assert titles(response) == ["What is the &lt;b&gt;weather&lt;/b&gt;?"]
    assert cells(response, "last_message") == ["x" * 199 + "…"]


@pytest.mark.parametrize(
    ("items", "texts"),
    [
        ([], ("", "")),
        ([{"type": "reasoning", "id": "rs_1", "summary": []}], ("", "")),
        ([message("user", "one")], ("one", "one")),
        ([message("system", "Be kind."), message("developer", "Rules"), message("user", "one")], ("one", "one")),
        ([message("assistant", "Hello!"), message("system", "Be kind.")], ("", "Be kind.")),
        ([{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}], ("", "")),
        (
            [
                {
                    "role": "user",
                    "content": [{"type": "input_image", "file_id": "f"}, {"type": "input_text", "text": "look"}],
                }
            ],
            ("look", "look"),
        ),
        (
            [{"role": "assistant", "type": "message", "content": [{"type": "refusal", "refusal": "no"}]}],
            ("", "no"),
        ),
        ([message("user", "é" * 200)], ("é" * 200, "é" * 200)),
        ([message("user", "W\0s\\u0000"), message("user", "\\\0")], ("W\ufffds\\u0000", "\\\ufffd")),
        ([{**message("user", "hi"), "\0": "\0"}], ("hi", "hi")),
    ],
)
def test_previews_handle_every_kind_of_message(alice, items, texts):
    conversation = Conversation.objects.create_with_items(owner=alice, items=validate_items(items))
    preview = previews.load_previews([conversation], has_last=True)[conversation.pk]
    assert (preview.first_message, preview.last_message) == texts


def test_previews_search_a_limited_number_of_items_for_a_message(alice, monkeypatch):
    monkeypatch.setattr(previews, "MAX_ITEMS", 2)
    calls = [{"type": "function_call", "call_id": str(n), "name": "f", "arguments": "{}"} for n in range(2)]
    conversation = Conversation.objects.create_with_items(
        owner=alice, items=validate_items([*calls, message("user", "x"), *calls])
    )
    preview = previews.load_previews([conversation], has_last=True)[conversation.pk]
    assert (preview.first_message, preview.last_message) == ("", "")


def test_previews_take_one_query_and_one_access_record_per_page(admin_client, talk, alice, django_assert_num_queries):
    for _ in range(5):
        Conversation.objects.create_with_items(owner=alice, items=validate_items([message("user", "hi")]))
    conversations = list(Conversation.objects.all())
    with django_assert_num_queries(1):
        assert len(previews.load_previews(conversations, has_last=True)) == 6
    admin_client.get(URL, {**PREVIEWS, "q": "-tenant:zenith", "owner": "alice"}, follow=True)
    record = AccessRecord.objects.get()
    assert (record.action, record.conversation_id, record.conversation_count) == ("read", "", 6)
    assert record.query == "-tenant:zenith owner=alice"


def test_list_without_rows_is_not_recorded(admin_client):
    admin_client.get(URL)
    assert not AccessRecord.objects.exists()


def test_column_choice_keeps_what_was_typed_in_the_filter_form(admin_client, talk):
    typed = {"q": "tenant:acme", "owner": "alice", "created_from": "2020-01-01"}
    response = admin_client.get(URL, {**typed, "columns": ["", "owner"], "column_key": "tenant"})
    assert dict(parse_qsl(response.url[1:])) == typed
    assert columns(admin_client.get(URL)) == ["title", "owner", "metadata_value"]


def test_search_without_javascript_saves_no_columns_that_the_list_shows_anyway(admin_client, admin_user, talk):
    shown = ["", "last_item", "owner", "metadata_pairs", "item_count", "id"]
    admin_client.get(URL, {"q": "x", "columns": shown, "column_key": [""]})
    assert not Preferences.objects.for_user(admin_user)


def test_previews_require_the_read_content_permission(staff_client, talk):
    response = staff_client("view_conversation").get(URL, PREVIEWS, follow=True)
    assert columns(response) == ["title"]
    assert "weather" not in response.content.decode()
    assert titles(response) == [f"conv_…{talk.pk[-6:]}"]
    assert 'value="last_message"' not in response.content.decode()
    assert not AccessRecord.objects.exists()


def test_previews_disappear_when_content_may_no_longer_be_read(admin_client, talk, settings):
    assert "weather" in admin_client.get(URL).content.decode()
    settings.CONVERSATIONS_STAFF_CAN_READ_CONTENT = False
    assert "weather" not in admin_client.get(URL).content.decode()
    assert AccessRecord.objects.count() == 1
