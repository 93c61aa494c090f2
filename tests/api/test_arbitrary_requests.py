"""Items and queries with arbitrary parts. Each is processed, or refused with an error that names it."""

from urllib.parse import urlencode

from hypothesis import given, settings

from conversations.schema.include import INCLUDABLE
from conversations.schema.items import validate_items
from tests.schema.items.random_items import spliced_items
from tests.schema.query.random_trees import texts

fewer_examples = settings(max_examples=settings.default.max_examples // 2)


def test_arbitrary_item_is_stored_and_returned_unchanged_or_refused(as_alice):
    @fewer_examples
    @given(spliced_items())
    def check(item):
        created = as_alice.post("/conversations", {"items": [item]})
        if created.status_code != 200:
            error = created.json()["error"]
            assert created.status_code in (400, 404), error  # 404 for a reference to an item
            assert error["param"].startswith("items") or (error["param"], error["code"]) == ("item", "invalid_item")
            return
        conversation_id = created.json()["id"]
        stored = as_alice.items(conversation_id, **{"include[]": INCLUDABLE})
        expected = [each for each in validate_items([item]) if each["type"] != "compaction_trigger"]
        for each, sent in zip(stored, expected, strict=True):
            assert each == sent | {"id": each["id"]}
        as_alice.delete(f"/conversations/{conversation_id}")

    check()


def test_arbitrary_query_is_answered_or_refused(as_alice):
    as_alice.new_conversation({"role": "user", "content": "a demo"}, topic="demo")

    @given(texts)
    def check(query):
        parameters = urlencode({"query": query}, errors="surrogatepass")
        response = as_alice.get(f"/conversations?{parameters}")
        assert response.status_code == 200 or response.json()["error"]["param"] == "query"

    check()
