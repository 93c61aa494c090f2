import pytest
from django.db import connection

from conversations.models import ItemText

# MariaDB and MySQL tell of words that are committed, and of no others.
pytestmark = pytest.mark.django_db(transaction=connection.vendor == "mysql")


def message(text):
    return {"role": "user", "content": text}


def found(caller, query, **parameters):
    answer = caller.get("/conversations", query=query, **parameters)
    assert answer.status_code == 200, answer.content
    return [conversation["id"] for conversation in answer.json()["data"]]


def test_conversations_are_found_by_what_their_items_say(as_alice):
    first = as_alice.new_conversation(message("Our refund policy"), topic="demo")
    second = as_alice.new_conversation(message("policy"), message("refund"))
    assert found(as_alice, '"refund policy"') == [first]
    assert found(as_alice, "refund policy") == [second, first]
    assert found(as_alice, "refund", **{"metadata[topic]": "demo"}) == [first]
    assert found(as_alice, 'policy -"refund policy"', order="asc") == [second]


def test_nobody_finds_what_is_said_to_others(as_alice, as_bob):
    as_alice.new_conversation(message("a secret"))
    assert found(as_bob, "secret") == []
    assert found(as_bob, "-secret") == []


def test_what_is_added_is_found_and_what_is_deleted_is_not(as_alice):
    conversation_id = as_alice.new_conversation(message("hello"))
    answer = as_alice.post(f"/conversations/{conversation_id}/items", {"items": [message("refund")]})
    [item] = answer.json()["data"]
    assert found(as_alice, "refund") == [conversation_id]
    as_alice.delete(f"/conversations/{conversation_id}/items/{item['id']}")
    assert found(as_alice, "refund") == []
    as_alice.delete(f"/conversations/{conversation_id}")
    assert found(as_alice, "hello") == []
    assert not ItemText.objects.exists()


def test_pages_of_a_search_follow_each_other(as_alice):
    ids = [as_alice.new_conversation(message("refund")) for _ in range(5)][::-1]
    assert found(as_alice, "refund", limit=2) == ids[:2]
    assert found(as_alice, "refund", limit=2, after=ids[1]) == ids[2:4]
    assert found(as_alice, "refund", limit=2, before=ids[3]) == ids[1:3]


@pytest.mark.parametrize("query", ["refund", '-"refund policy"', "topic:demo OR refund"])
def test_where_it_is_off_the_error_says_so(as_alice, assert_error, settings, query):
    settings.CONVERSATIONS_FULL_TEXT = False
    assert_error(
        as_alice.get("/conversations", query=query),
        400,
        "Invalid 'query': full-text search is off here, so that only metadata and times can be asked for.",
        param="query",
        code="full_text_off",
    )


def test_a_phrase_without_words_is_an_error(as_alice, assert_error):
    assert_error(
        as_alice.get("/conversations", query='"?"'),
        400,
        "Invalid 'query': expected a phrase with a letter, a digit or an emoji at position 1, but got '\"'.",
        param="query",
        code="invalid_query",
    )
