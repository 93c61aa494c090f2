import pytest
from django.db import connection

from conversations.models import ItemText

# MariaDB and MySQL find only committed words.
pytestmark = pytest.mark.django_db(transaction=connection.vendor == "mysql")


def message(text):
    return {"role": "user", "content": text}


def search(caller, query, **parameters):
    response = caller.get("/conversations", query=query, **parameters)
    assert response.status_code == 200, response.content
    return [conversation["id"] for conversation in response.json()["data"]]


def test_conversations_are_found_by_message_content(as_alice):
    first = as_alice.new_conversation(message("Our refund policy"), topic="demo")
    second = as_alice.new_conversation(message("policy"), message("refund"))
    assert search(as_alice, '"refund policy"') == [first]
    assert search(as_alice, "refund policy") == [second, first]
    assert search(as_alice, "refund", **{"metadata[topic]": "demo"}) == [first]
    assert search(as_alice, 'policy -"refund policy"', order="asc") == [second]


def test_nul_is_searched_as_the_replacement_character_that_pages_show(as_alice):
    conversation_id = as_alice.new_conversation(message("dir W\0s\0l"))
    assert search(as_alice, '"W\ufffds\ufffdl"') == search(as_alice, "dir") == [conversation_id]


def test_search_does_not_match_conversations_of_other_users(as_alice, as_bob):
    as_alice.new_conversation(message("a secret"))
    assert search(as_bob, "secret") == []
    assert search(as_bob, "-secret") == []


def test_added_items_are_found_and_deleted_items_are_not(as_alice):
    conversation_id = as_alice.new_conversation(message("hello"))
    response = as_alice.post(f"/conversations/{conversation_id}/items", {"items": [message("refund")]})
    [item] = response.json()["data"]
    assert search(as_alice, "refund") == [conversation_id]
    as_alice.delete(f"/conversations/{conversation_id}/items/{item['id']}")
    assert search(as_alice, "refund") == []
    as_alice.delete(f"/conversations/{conversation_id}")
    assert search(as_alice, "hello") == []
    assert not ItemText.objects.exists()


def test_search_results_are_paged_by_cursor(as_alice):
    ids = [as_alice.new_conversation(message("refund")) for _ in range(5)][::-1]
    assert search(as_alice, "refund", limit=2) == ids[:2]
    assert search(as_alice, "refund", limit=2, after=ids[1]) == ids[2:4]
    assert search(as_alice, "refund", limit=2, before=ids[3]) == ids[1:3]


@pytest.mark.parametrize("query", ["refund", '-"refund policy"', "topic:demo OR refund"])
def test_text_search_is_refused_if_full_text_search_is_off(as_alice, assert_error, settings, query):
    settings.CONVERSATIONS_FULL_TEXT = False
    assert_error(
        as_alice.get("/conversations", query=query),
        400,
        "Invalid 'query': full-text search is off here, so that the words of items can't be searched.",
        param="query",
        code="full_text_off",
    )


def test_phrase_without_words_is_refused(as_alice, assert_error):
    assert_error(
        as_alice.get("/conversations", query='"?"'),
        400,
        "Invalid 'query': expected a phrase with a letter, a digit or an emoji at position 1, but got '\"'.",
        param="query",
        code="invalid_query",
    )
