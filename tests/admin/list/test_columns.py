import re

import pytest
from django.urls import reverse

from conversations.admin.content import previews
from conversations.models import AccessRecord, Conversation
from conversations.schema.items import validate_items

URL = reverse("admin:conversations_conversation_changelist")
DEFAULT = ["id", "created", "owner", "metadata_pairs", "item_count"]
PREVIEWS = {"columns": ["", "first_message", "last_message"]}


def columns(response) -> list[str]:
    return re.findall(r'<th scope="col" class="(?:sortable )?column-(\w+)', response.content.decode())


def cells(response, column: str) -> list[str]:
    return re.findall(rf'<td class="field-{column}[^"]*">(.*?)</td>', response.content.decode(), re.S)


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
    return Conversation.create_with_items(owner=alice, metadata={"tenant": "acme"}, items=validate_items(items))


def test_chosen_columns_are_saved_and_removed_from_the_url(admin_client, talk):
    assert columns(admin_client.get(URL)) == DEFAULT
    chosen = {"columns": ["", "owner", "last_item"], "column_key": ["tenant", "none <b>", ""], "owner": "alice"}
    response = admin_client.get(URL, chosen)
    assert response.url == "?owner=alice"
    again = admin_client.get(URL)
    assert columns(again) == ["id", "owner", "last_item", "metadata_value", "metadata_value"]
    assert cells(again, "metadata_value") == ["acme", "-"]
    assert "None &lt;b&gt;" in again.content.decode()
    admin_client.get(URL, {"columns": ""})
    assert columns(admin_client.get(URL)) == ["id"]


def test_unknown_columns_are_ignored(admin_client, talk):
    admin_client.get(
        URL, {"columns": ["password", "__class__", "owner"], "column_key": ["k" * 65, *map(str, range(20))]}
    )
    assert columns(admin_client.get(URL)) == ["id", "owner", *["metadata_value"] * 8]


def test_column_form_keeps_the_filters(admin_client, talk):
    html = admin_client.get(URL, {"q": "tenant:acme", "owner": "alice", "o": "1"}).content.decode()
    form = re.search(r'<details class="conversations-columns".*?</form>', html, re.S)[0]
    hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form)
    assert hidden == [("q", "tenant:acme"), ("owner", "alice"), ("o", "1"), ("columns", "")]


def test_previews_show_the_start_of_the_first_and_last_message(admin_client, talk):
    response = admin_client.get(URL, PREVIEWS, follow=True)
    assert cells(response, "first_message") == ["What is the &lt;b&gt;weather&lt;/b&gt;?"]
    assert cells(response, "last_message") == ["x" * 199 + "…"]


@pytest.mark.parametrize(
    ("items", "texts"),
    [
        ([], ("", "")),
        ([{"type": "reasoning", "id": "rs_1", "summary": []}], ("", "")),
        ([message("user", "one")], ("one", "one")),
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
            ("no", "no"),
        ),
        ([message("user", "é" * 200)], ("é" * 200, "é" * 200)),
        ([message("user", "W\0s\\u0000"), message("user", "\\\0")], ("W\ufffds\\u0000", "\\\ufffd")),
        ([{**message("user", "hi"), "\0": "\0"}], ("hi", "hi")),
    ],
)
def test_previews_handle_every_kind_of_message(alice, items, texts):
    conversation = Conversation.create_with_items(owner=alice, items=validate_items(items))
    preview = previews.load_previews([conversation])[conversation.pk]
    assert (preview.first_message, preview.last_message) == texts


def test_previews_search_a_limited_number_of_items_for_a_message(alice, monkeypatch):
    monkeypatch.setattr(previews, "MAX_ITEMS", 2)
    calls = [{"type": "function_call", "call_id": str(n), "name": "f", "arguments": "{}"} for n in range(2)]
    conversation = Conversation.create_with_items(
        owner=alice, items=validate_items([*calls, message("user", "x"), *calls])
    )
    preview = previews.load_previews([conversation])[conversation.pk]
    assert (preview.first_message, preview.last_message) == ("", "")


def test_previews_take_one_query_and_one_access_record_per_page(admin_client, talk, alice, django_assert_num_queries):
    for _ in range(5):
        Conversation.create_with_items(owner=alice, items=validate_items([message("user", "hi")]))
    conversations = list(Conversation.objects.all())
    with django_assert_num_queries(1):
        assert len(previews.load_previews(conversations)) == 6
    admin_client.get(URL, {**PREVIEWS, "q": "-tenant:zenith", "owner": "alice"}, follow=True)
    record = AccessRecord.objects.get()
    assert (record.action, record.conversation_id, record.conversation_count) == ("read", "", 6)
    assert record.query == "-tenant:zenith owner=alice"


def test_list_without_previews_is_not_recorded(admin_client, talk):
    admin_client.get(URL)
    admin_client.get(URL, {"columns": ["", "owner"]}, follow=True)
    assert not AccessRecord.objects.exists()


def test_previews_require_the_read_content_permission(staff_client, talk):
    response = staff_client("view_conversation").get(URL, PREVIEWS, follow=True)
    assert columns(response) == ["id"]
    assert "weather" not in response.content.decode()
    assert 'value="first_message"' not in response.content.decode()
    assert not AccessRecord.objects.exists()


def test_previews_disappear_when_content_may_no_longer_be_read(admin_client, talk, settings):
    assert "weather" in admin_client.get(URL, PREVIEWS, follow=True).content.decode()
    settings.CONVERSATIONS_STAFF_CAN_READ_CONTENT = False
    assert "weather" not in admin_client.get(URL).content.decode()
    assert AccessRecord.objects.count() == 1
