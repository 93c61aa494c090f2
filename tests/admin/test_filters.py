import re
from urllib.parse import parse_qsl

import pytest
from django.contrib.admin.utils import quote
from django.urls import reverse

from conversations.models import Conversation

URL = reverse("admin:conversations_conversation_changelist")


def shown_ids(response) -> list[str]:
    return [conversation.pk for conversation in response.context["cl"].result_list]


def links(response) -> list[dict[str, str]]:
    queries = re.findall(r'<a href="\?([^"]*)"', response.content.decode().replace("&amp;", "&"))
    return [dict(parse_qsl(query)) for query in queries]


@pytest.fixture
def demo(alice) -> Conversation:
    return Conversation.create_with_items(owner=alice, metadata={"topic": "demo", "lang": "en"})


@pytest.fixture(autouse=True)
def others(alice, bob, demo) -> None:
    Conversation.create_with_items(owner=alice, metadata={"topic": "Demo"})
    Conversation.create_with_items(owner=alice, metadata={"topic": "demo "})
    Conversation.create_with_items(owner=alice, metadata={"lang": "demo"})
    Conversation.create_with_items(owner=bob)


def test_a_pair_of_metadata_is_matched_exactly(admin_client, demo):
    response = admin_client.get(URL, {"metadata_key": "topic", "metadata_value": "demo"})
    assert shown_ids(response) == [demo.pk]


@pytest.mark.parametrize(("key", "value"), [(" k", "v "), ("ключ", "😀"), ("a&b=c", "<script>"), ("k", "0")])
def test_any_key_and_value_can_be_filtered_by(admin_client, alice, key, value):
    conversation = Conversation.create_with_items(owner=alice, metadata={key: value})
    response = admin_client.get(URL, {"metadata_key": key, "metadata_value": value})
    assert shown_ids(response) == [conversation.pk]
    assert "<script>" not in response.content.decode()


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("metadata_operator=exists", "This field is required."),
        ("metadata_key=topic&metadata_operator=like", "Select a valid choice. like is not one of"),
        ("metadata_value=demo", "This field is required."),
        ("metadata_key=topic&metadata_value=demo&metadata_value=x", "Give each value once."),
        ("metadata_key=a%00&metadata_value=b", "Null characters are not allowed."),
        (f"metadata_key={'k' * 65}&metadata_value=b", "Ensure this value has at most 64 characters (it has 65)."),
        (f"metadata_key=k&metadata_value={'v' * 513}", "Ensure this value has at most 512 characters (it has 513)."),
        ("owner=nobody", "There is no user of this name."),
        ("owner=+", "This field is required."),
        ("owner=alice&owner=bob", "Give each value once."),
        ("owner=a%00", "Null characters are not allowed."),
    ],
)
def test_a_filter_that_makes_no_sense_says_so_and_finds_nothing(admin_client, query, message):
    response = admin_client.get(f"{URL}?{query}")
    assert response.status_code == 200
    assert shown_ids(response) == []
    assert message in response.content.decode()


@pytest.mark.parametrize(
    ("operator", "value", "found"),
    [
        ("", "demo", ["demo"]),
        ("eq", "", []),
        ("ne", "demo", ["demo ", "Demo"]),
        ("in", "Demo, demo", ["Demo", "demo"]),
        ("nin", "Demo,demo", ["demo "]),
        ("prefix", "dem", ["demo ", "demo"]),
        ("contains", "emo", ["demo ", "Demo", "demo"]),
        ("exists", "", ["demo ", "Demo", "demo"]),
        ("absent", "", [None, None]),
    ],
)
def test_every_condition_on_a_key(admin_client, operator, value, found):
    query = {"metadata_key": "topic", "metadata_operator": operator, "metadata_value": value}
    rows = admin_client.get(URL, query).context["cl"].result_list
    assert [row.metadata.get("topic") for row in rows] == found


def test_a_condition_that_reads_too_much_says_so_and_finds_nothing(admin_client, monkeypatch):
    monkeypatch.setattr("conversations.models.conversation.MAX_READABLE", 3)
    parts = {"metadata_key": "topic", "metadata_operator": "contains", "metadata_value": "emo"}
    for query in (parts, {"q": "topic~emo"}):
        response = admin_client.get(URL, query)
        assert shown_ids(response) == []
        assert "would read more than 3 conversations" in response.content.decode()


def test_the_search_takes_the_typed_language(admin_client, demo):
    assert shown_ids(admin_client.get(URL, {"q": "topic:demo lang:en"})) == [demo.pk]
    assert len(shown_ids(admin_client.get(URL, {"q": "-topic:demo"}))) == 4
    wrong = admin_client.get(URL, {"q": "topic:demo OR"})
    assert shown_ids(wrong) == []
    assert "at position 14" in wrong.content.decode()


def test_an_empty_form_filters_nothing(admin_client):
    response = admin_client.get(URL, {"metadata_key": "", "metadata_operator": "eq", "metadata_value": "", "owner": ""})
    assert len(shown_ids(response)) == 5
    assert "errorlist" not in response.content.decode()


def test_conversations_of_one_owner_are_found_by_username(admin_client, bob):
    response = admin_client.get(URL, {"owner": "bob"})
    assert [row.owner for row in response.context["cl"].result_list] == [bob]


def test_the_owner_filter_names_no_users(admin_client):
    html = admin_client.get(URL).content.decode()
    assert "alice" not in html.partition('id="changelist-filter"')[2]


def test_filters_combine_with_each_other_and_with_the_search(admin_client, demo):
    pair = {"metadata_key": "topic", "metadata_value": "demo"}
    assert shown_ids(admin_client.get(URL, {**pair, "owner": "alice", "q": demo.pk})) == [demo.pk]
    assert shown_ids(admin_client.get(URL, {**pair, "owner": "bob"})) == []
    assert shown_ids(admin_client.get(URL, {**pair, "q": "conv_0"})) == []


def test_the_filters_keep_the_order_the_search_and_each_other_but_not_the_page(admin_client):
    parameters = {"metadata_key": "k", "metadata_value": "v", "owner": "alice", "q": "conv_1", "o": "-1", "p": "1"}
    html = admin_client.get(URL, parameters).content.decode()
    owner_form, metadata_form = re.findall(r'<form method="get" class="conversations-filter">.*?</form>', html, re.S)
    search_form = re.search(r'<form id="changelist-search".*?</form>', html, re.S)[0]

    def sent(form: str) -> dict[str, str]:
        inputs = re.findall(r'<input type="(?:hidden|text)"[^>]*?name="([^"]*)"[^>]*?value="([^"]*)"', form)
        return dict(inputs)

    expected = {name: value for name, value in parameters.items() if name != "p"}
    assert sent(owner_form) == sent(metadata_form) == sent(search_form) == expected


def test_the_links_to_order_and_page_keep_the_filters(admin_client, alice):
    for _ in range(101):
        Conversation.create_with_items(owner=alice, metadata={"k": "v"})
    parameters = {"metadata_key": "k", "metadata_value": "v", "owner": "alice"}
    response = admin_client.get(URL, parameters)
    assert {**parameters, "o": "1"} in links(response)
    assert {**parameters, "p": "2"} in links(response)
    assert len(shown_ids(admin_client.get(URL, {**parameters, "p": "2"}))) == 1
    assert len(shown_ids(admin_client.get(URL, {**parameters, "p": "99"}))) == 1


def test_an_active_filter_can_be_removed_alone_or_with_all_others(admin_client):
    response = admin_client.get(URL, {"metadata_key": "k", "metadata_value": "v", "owner": "alice", "o": "1"})
    assert {"owner": "alice", "o": "1"} in links(response)
    assert {"metadata_key": "k", "metadata_value": "v", "o": "1"} in links(response)
    assert {"o": "1"} in links(response)
    assert "Remove the filter" not in admin_client.get(URL).content.decode()


def test_opening_a_conversation_keeps_the_filters_for_the_way_back(admin_client, demo):
    response = admin_client.get(URL, {"metadata_key": "topic", "metadata_value": "demo"})
    url = reverse("admin:conversations_conversation_change", args=[quote(demo.pk)])
    assert f"{url}?_changelist_filters=metadata_key%3Dtopic%26metadata_value%3Ddemo" in response.content.decode()
