import re
from html import unescape
from urllib.parse import parse_qsl

import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.core.exceptions import ValidationError
from django.urls import path, reverse

from conversations.admin import ConversationAdmin
from conversations.admin.list.conditions import parse_list
from conversations.models import Conversation
from conversations.schema.query.nodes import MetadataCondition
from conversations.schema.query.operators import METADATA_OPERATORS
from tests.admin.list.filtered_list import URL, create_demo, create_others, listed_ids
from tests.schema.query.test_operators import EXAMPLES


def condition(key: str, value: str = "", operator: str = "eq") -> dict[str, str]:
    return {"metadata_key": key, "metadata_operator": operator, "metadata_value": value}


def conditions(*rows: tuple[str, str, str]) -> dict[str, list[str]]:
    keys, operators, values = zip(*rows, strict=True)
    return {"metadata_key": keys, "metadata_operator": operators, "metadata_value": values}


def chips(response) -> dict[str, list[tuple[str, str]]]:
    """The label of each chip, and the parameters that its link to remove it leaves."""
    html = response.content.decode()
    links = re.findall(r'<li>([^<]*) <a href="\?([^"]*)"><span aria-hidden="true">✕', html)
    return {unescape(label): parse_qsl(unescape(query), keep_blank_values=True) for label, query in links}


@pytest.fixture
def demo(alice) -> Conversation:
    return create_demo(alice)


@pytest.fixture(autouse=True)
def others(alice, bob, demo) -> None:
    create_others(alice, bob)


def test_metadata_filter_matches_exactly(admin_client, demo):
    assert listed_ids(admin_client.get(URL, condition("topic", "demo"))) == [demo.pk]
    assert listed_ids(admin_client.get(URL, {"metadata_key": "topic", "metadata_value": "demo"})) == [demo.pk]


@pytest.mark.parametrize(("key", "value"), [(" k", "v "), ("ключ", "😀"), ("a&b=c", "<script>"), ("k", "0")])
def test_metadata_filter_accepts_any_key_and_value(admin_client, alice, key, value):
    conversation = Conversation.objects.create_with_items(owner=alice, metadata={key: value})
    response = admin_client.get(URL, condition(key, value))
    assert listed_ids(response) == [conversation.pk]
    assert "<script>" not in response.content.decode()


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a,b", ("a", "b")),
        (' a b , "c, d" ,"e ""f"""', ("a b", "c, d", 'e "f"')),
        (",", ("", "")),
        (" " * 8_000 + "a" + " " * 8_000, ("a",)),
    ],
)
def test_lists_of_values_are_split_at_commas(text, values):
    assert parse_list(text) == values


def test_value_of_many_spaces_is_parsed_in_linear_time():
    with pytest.raises(ValidationError, match="at position 1"):
        parse_list(" " * 8_000 + 'x"')


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
        ('metadata_key=k&metadata_operator=in&metadata_value=a,"b"c', "and then a comma, at position 3."),
        ("&".join(["metadata_key=k&metadata_value=v"] * 17), "Too many conditions."),
        ("owner=nobody", "No such user."),
        ("owner=+", "This field is required."),
        ("owner=alice&owner=bob", "Give each value once."),
        ("owner=a%00", "Null characters are not allowed."),
        ("created_from=yesterday", "Enter a valid date."),
        ("created_to=2026-13-01", "Enter a valid date."),
        ("created_from=2026-02-02&created_to=2026-02-01", "“From” is after “to”."),
    ],
)
def test_invalid_filter_shows_an_error_and_matches_nothing(admin_client, query, message):
    response = admin_client.get(f"{URL}?{query}")
    assert response.status_code == 200
    assert listed_ids(response) == []
    assert message in unescape(response.content.decode())


def test_pasted_null_character_separates_words(admin_client, alice):
    row = Conversation.objects.create_with_items(owner=alice, metadata={"topic": "A-77812"})
    for text in ("A-77812\0", "\0A-77812", "topic:A-77812\0topic:*"):
        page = admin_client.get(URL, {"q": text})
        assert listed_ids(page) == [row.pk]
        assert "errorlist" not in page.content.decode()


def test_filter_errors_are_shown_beside_their_fields(admin_client):
    rows = [("topic", "eq", "demo"), ("", "eq", "x")]
    html = admin_client.get(URL, conditions(*rows)).content.decode()
    first, second, _blank = re.split(r'<div class="conversations-condition"', html)[1:]
    assert "errorlist" not in first
    assert "This field is required." in second


@pytest.mark.parametrize(
    ("operator", "value", "topics"),
    [
        ("", "demo", ["demo"]),
        ("eq", "", []),
        ("in", '"demo ","Demo"', ["demo ", "Demo"]),
        ("nin", "Demo,demo", ["demo "]),
        ("absent", "", [None, None]),
    ],
)
def test_condition_filters_the_list(admin_client, operator, value, topics):
    rows = admin_client.get(URL, condition("topic", value, operator)).context["cl"].result_list
    assert [row.metadata.get("topic") for row in rows] == topics


@pytest.mark.parametrize("operator", METADATA_OPERATORS)
def test_every_metadata_operator_filters_the_list(admin_client, alice, operator):
    values, right, wrong = EXAMPLES[operator]
    for value in (right, *wrong):
        Conversation.objects.create_with_items(owner=alice, metadata={"subject": value})
    rows = admin_client.get(URL, condition("subject", ", ".join(values), operator)).context["cl"].result_list
    assert [row.metadata["subject"] for row in rows] == [right]


def test_conditions_are_combined_and_followed_by_an_empty_row(admin_client, demo):
    both = conditions(("topic", "prefix", "dem"), ("lang", "exists", ""))
    response = admin_client.get(URL, both)
    assert listed_ids(response) == [demo.pk]
    form = re.search(r'<form id="changelist-search".*?</form>', response.content.decode(), re.S)[0]
    keys = re.findall(r'name="metadata_key"(?: value="([^"]*)")?', form)
    assert keys == ["topic", "lang", ""]
    ids_of_fields = re.findall(r' id="([^"]+)"', response.content.decode())
    assert len(ids_of_fields) == len(set(ids_of_fields))


def test_empty_condition_row_is_ignored(admin_client, demo):
    response = admin_client.get(URL, conditions(("topic", "eq", "demo"), ("", "eq", ""), ("lang", "eq", "en")))
    assert listed_ids(response) == [demo.pk]
    assert list(chips(response)) == ["topic is “demo”", "lang is “en”"]


def test_each_filter_has_a_chip_that_removes_it(admin_client):
    rows = [("topic", "eq", "demo"), ("lang", "in", "en, de"), ("topic", "eq", "demo")]
    pairs = [[("metadata_key", k), ("metadata_operator", o), ("metadata_value", v)] for k, o, v in rows]
    parameters = {**conditions(*rows), "q": "topic:*", "owner": "alice", "created_from": "2026-01-02", "o": "title"}
    response = admin_client.get(URL, parameters)
    remaining = chips(response)
    rest = [("created_from", "2026-01-02"), ("o", "title")]
    assert remaining["topic:*"] == [*pairs[0], *pairs[1], *pairs[2], ("owner", "alice"), *rest]
    assert remaining["lang is any of “en”, “de”"] == [("q", "topic:*"), *pairs[0], *pairs[2], ("owner", "alice"), *rest]
    assert remaining["owner: alice"] == [("q", "topic:*"), *pairs[0], *pairs[1], *pairs[2], *rest]
    assert remaining["from Jan. 2, 2026"][-2:] == [("owner", "alice"), ("o", "title")]
    assert response.content.decode().count("✕") == 6
    assert '<a href="?o=title">Remove all</a>' in response.content.decode()


def test_unbounded_condition_shows_an_error_and_matches_nothing(admin_client, monkeypatch):
    monkeypatch.setattr("conversations.search.planner.MAX_READABLE", 3)
    for query in (condition("topic", "emo", "contains"), {"q": "topic~emo"}):
        response = admin_client.get(URL, query)
        assert listed_ids(response) == []
        assert "This search takes too long." in response.content.decode()
    both = {**condition("topic", "emo", "contains"), "q": "lang:en"}
    assert len(listed_ids(admin_client.get(URL, both))) == 1


def test_search_box_accepts_the_query_language(admin_client, demo):
    assert listed_ids(admin_client.get(URL, {"q": "topic:demo lang:en"})) == [demo.pk]
    assert len(listed_ids(admin_client.get(URL, {"q": "-topic:demo"}))) == 4


def test_an_empty_form_filters_nothing(admin_client):
    parameters = {**condition(""), "owner": "", "q": "", "created_from": "", "created_to": ""}
    response = admin_client.get(URL, parameters)
    assert len(listed_ids(response)) == 5
    assert "errorlist" not in response.content.decode()
    assert chips(response) == {}


def test_end_user_filter_matches_exactly(admin_client, alice, bob):
    anns = [Conversation.objects.create_with_items(owner=owner, end_user="ann") for owner in (alice, bob)]
    for end_user in ("Ann", "ann ben", None):
        Conversation.objects.create_with_items(owner=alice, end_user=end_user)
    response = admin_client.get(URL, {"end_user": "ann"})
    assert set(listed_ids(response)) == {row.pk for row in anns}
    assert list(chips(response)) == ["end user: ann"]
    assert listed_ids(admin_client.get(URL, {"end_user": "ann", "owner": "alice"})) == [anns[0].pk]
    for end_user in ("x" * 257, "a\0"):
        assert "errorlist" in admin_client.get(URL, {"end_user": end_user}).content.decode()


def test_column_and_page_show_the_end_user(admin_client, alice):
    conversation = Conversation.objects.create_with_items(owner=alice, end_user="person-17")
    assert "person-17" not in admin_client.get(URL).content.decode()
    assert "person-17" in admin_client.get(URL, {"columns": "end_user"}, follow=True).content.decode()
    assert "person-17" in admin_client.get(conversation.get_absolute_url()).content.decode()
    other = Conversation.objects.create_with_items(owner=alice)
    assert "field-end_user" not in admin_client.get(other.get_absolute_url()).content.decode()


def test_owner_filter_matches_the_username(admin_client, bob):
    response = admin_client.get(URL, {"owner": "bob"})
    assert [row.owner for row in response.context["cl"].result_list] == [bob]


def test_filter_form_lists_no_users(admin_client):
    html = admin_client.get(URL).content.decode()
    assert "alice" not in re.search(r'<form id="changelist-search".*?</form>', html, re.S)[0]


def test_all_filters_combine(admin_client, demo):
    pair = condition("topic", "demo")
    assert listed_ids(admin_client.get(URL, {**pair, "owner": "alice", "q": demo.pk})) == [demo.pk]
    assert listed_ids(admin_client.get(URL, {**pair, "owner": "bob"})) == []
    assert listed_ids(admin_client.get(URL, {**pair, "q": "conv_0"})) == []


def test_filter_form_keeps_the_order_but_not_the_cursor(admin_client, demo):
    parameters = {"owner": "alice", "o": "-title", "after": demo.pk, "_popup": "1"}
    html = admin_client.get(URL, parameters).content.decode()
    form = re.search(r'<form id="changelist-search".*?</form>', html, re.S)[0]
    hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form)
    assert hidden == [("o", "-title"), ("_popup", "1"), ("columns", "")]


def test_sort_and_page_links_keep_the_filters(admin_client, alice, monkeypatch):
    monkeypatch.setattr(ConversationAdmin, "list_per_page", 1)
    parameters = {**condition("topic", "Demo", "in"), "owner": "alice"}
    Conversation.objects.create_with_items(owner=alice, metadata={"topic": "Demo"})
    response = admin_client.get(URL, parameters)
    queries = re.findall(r'<a href="\?([^"]*)"', response.content.decode())
    links = [dict(parse_qsl(unescape(query))) for query in queries]
    assert {**parameters, "o": "title"} in links
    assert {**parameters, "after": listed_ids(response)[0]} in links


def test_metadata_pair_in_a_row_links_to_an_additional_condition(admin_client, demo):
    html = admin_client.get(URL, {"owner": "alice", "q": demo.pk}).content.decode()
    pairs = re.search(r'<ul class="conversations-pairs">.*?</ul>', html, re.S)[0]
    urls = [unescape(url) for url in re.findall(r'class="conversations-pair" href="([^"]*)"', pairs)]
    expected = [("q", demo.pk), ("owner", "alice")]
    assert [sorted(parse_qsl(url[1:])) for url in urls] == [
        sorted([*expected, *condition("topic", "demo").items()]),
        sorted([*expected, *condition("lang", "en").items()]),
    ]


def test_owner_and_values_of_metadata_columns_are_links_to_conditions(admin_client, demo):
    admin_client.get(URL, {"columns": ["", "owner"], "column_key": "topic"})
    html = admin_client.get(URL, {"q": demo.pk, "owner": "alice"}).content.decode()
    links = dict(re.findall(r'<td class="field-(owner|metadata_value)"><a [^>]*href="\?([^"]*)"', html))
    assert parse_qsl(unescape(links["owner"])) == [("q", demo.pk), ("owner", "alice")]
    assert parse_qsl(unescape(links["metadata_value"])) == [
        ("q", demo.pk),
        ("owner", "alice"),
        *condition("topic", "demo").items(),
    ]


def test_conversation_links_preserve_the_list_filters(admin_client, demo):
    response = admin_client.get(URL, {"metadata_key": "topic", "metadata_value": "demo"})
    url = reverse("admin:conversations_conversation_change", args=[quote(demo.pk)])
    assert f"{url}?_changelist_filters=metadata_key%3Dtopic%26metadata_value%3Ddemo" in response.content.decode()


class FewItems(admin.SimpleListFilter):
    title = parameter_name = "few"

    def lookups(self, request, model_admin):
        return [("yes", "yes")]

    def queryset(self, request, queryset):
        return queryset.filter(item_count__lt=2) if self.value() else queryset


site = admin.AdminSite(name="backoffice")
site.register(Conversation, type("WithFilter", (ConversationAdmin,), {"list_filter": [FewItems]}))
urlpatterns = [path("desk/", site.urls)]


@pytest.mark.urls(__name__)
def test_custom_list_filter_combines_with_the_built_in_filters(admin_client, demo):
    Conversation.objects.matching(MetadataCondition("topic", "eq", ("Demo",))).update(item_count=2)
    base = "/desk/conversations/conversation/"
    for parameters in ({"few": "yes", **condition("topic", "", "exists")}, {"few": "yes", "q": "topic:*"}):
        response = admin_client.get(base, parameters)
        assert [row.metadata["topic"] for row in response.context["cl"].result_list] == ["demo ", "demo"]
        assert str(response.context["cl"].row_count) == "2"
        html = response.content.decode()
        assert '<input type="hidden" name="few" value="yes">' in html
        assert "By few" in html


def test_unknown_query_parameter_redirects_with_an_error(admin_client):
    assert admin_client.get(URL, {"nonsense": "1"}).url == f"{URL}?e=1"
