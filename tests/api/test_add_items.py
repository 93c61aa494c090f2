import pytest
from django.db import connection

from conversations.checks import MAX_ITEMS_PER_REQUEST
from conversations.models import Conversation, Item

HELLO = {"role": "user", "content": "Hello!"}


def texts(items):
    return [item["content"][0]["text"] for item in items]


def test_response_contains_the_new_items_in_request_order(as_alice):
    conversation_id = as_alice.new_conversation(HELLO)
    response = as_alice.post(
        f"/conversations/{conversation_id}/items",
        {"items": [{**HELLO, "content": "one"}, {"role": "assistant", "content": "two"}]},
    ).json()
    assert list(response) == ["object", "data", "first_id", "has_more", "last_id"]
    assert (response["object"], response["has_more"], texts(response["data"])) == ("list", False, ["one", "two"])
    assert [response["first_id"], response["last_id"]] == [item["id"] for item in response["data"]]
    assert texts(as_alice.items(conversation_id)) == ["Hello!", "one", "two"]


def test_include_reveals_members_in_the_response(as_alice):
    image = {"role": "user", "content": [{"type": "input_image", "image_url": "https://example.com/a.png"}]}
    path = f"/conversations/{as_alice.new_conversation()}/items"
    without_include = as_alice.post(path, {"items": [image]}).json()["data"][0]
    item = as_alice.post(f"{path}?include[]=message.input_image.image_url", {"items": [image]}).json()["data"][0]
    assert without_include["content"] == [{"type": "input_image", "detail": "auto", "file_id": None, "image_url": None}]
    assert item["content"][0]["image_url"] == "https://example.com/a.png"


def test_request_with_an_invalid_item_stores_no_items(as_alice):
    conversation_id = as_alice.new_conversation(HELLO)
    response = as_alice.post(f"/conversations/{conversation_id}/items", {"items": [HELLO, {"role": "nobody"}]})
    assert response.status_code == 400
    conversation = Conversation.objects.get()
    assert (conversation.items.count(), conversation.item_count, conversation.last_position) == (1, 1, 1)


def test_compaction_trigger_is_accepted_but_not_stored(as_alice):
    conversation_id = as_alice.new_conversation(HELLO, {"type": "compaction_trigger"})
    path = f"/conversations/{conversation_id}/items"
    response = as_alice.post(path, {"items": [{"type": "compaction_trigger"}, {**HELLO, "content": "two"}]})
    assert texts(response.json()["data"]) == ["two"]
    alone = as_alice.post(path, {"items": [{"type": "compaction_trigger"}]})
    assert alone.json() == {"object": "list", "data": [], "first_id": None, "has_more": False, "last_id": None}
    assert texts(as_alice.items(conversation_id)) == ["Hello!", "two"]
    assert list(Conversation.objects.get().items.order_by("position").values_list("position", flat=True)) == [1, 2]


def test_items_must_be_present_and_not_empty(as_alice, assert_error):
    path = f"/conversations/{as_alice.new_conversation()}/items"
    for body in (None, {}):
        assert_error(
            as_alice.post(path, body),
            400,
            "Missing required parameter: 'items'.",
            param="items",
            code="missing_required_parameter",
        )
    assert_error(
        as_alice.post(path, {"items": []}),
        400,
        "Invalid 'items': empty array. Expected an array with minimum length 1, but got an empty array instead.",
        param="items",
        code="empty_array",
    )


def test_invalid_body_is_reported_before_an_unknown_conversation(as_alice):
    assert as_alice.post("/conversations/conv_none/items", {"items": []}).status_code == 400
    assert as_alice.post("/conversations/conv_none/items?include[]=x", {"items": [HELLO]}).status_code == 400
    assert as_alice.post("/conversations/conv_none/items", {"items": [HELLO]}).status_code == 404


def test_conversation_of_another_user_is_not_found(as_alice, as_bob, assert_error):
    conversation_id = as_alice.new_conversation()
    response = as_bob.post(f"/conversations/{conversation_id}/items", {"items": [HELLO]})
    assert_error(response, 404, f"Conversation with id '{conversation_id}' not found.")
    assert as_alice.items(conversation_id) == []


def test_number_of_queries_does_not_grow_with_the_items(as_alice, django_assert_num_queries):
    conversation_id = as_alice.new_conversation()
    # PostgreSQL: SAVEPOINT, one statement for all rows, RELEASE. Others: the conversation, SAVEPOINT, the counter, its
    # new value, items, texts, RELEASE.
    number = 3 if connection.vendor == "postgresql" else 7
    for count in (1, 20):
        with django_assert_num_queries(number):
            as_alice.post(f"/conversations/{conversation_id}/items", {"items": [HELLO] * count})


def test_limit_of_items_per_request_can_be_raised(as_alice, settings, assert_error):
    settings.CONVERSATIONS_MAX_ITEMS_PER_REQUEST = 22
    conversation_id = as_alice.new_conversation(*[HELLO] * 22)
    response = as_alice.post(f"/conversations/{conversation_id}/items", {"items": [HELLO] * 22})
    assert len(response.json()["data"]) == 22
    assert_error(
        as_alice.post(f"/conversations/{conversation_id}/items", {"items": [HELLO] * 23}),
        400,
        "Invalid 'items': array too long. Expected an array with maximum length 22, "
        "but got an array with length 23 instead.",
        param="items",
        code="array_above_max_length",
    )
    assert Item.objects.count() == 44


@pytest.mark.slow
@pytest.mark.parametrize("ids", [{}, {"id": "msg_{}"}], ids=["new ids", "ids of the client"])
def test_request_with_the_greatest_configurable_number_of_items_is_stored(as_alice, settings, ids):
    settings.CONVERSATIONS_MAX_ITEMS_PER_REQUEST = MAX_ITEMS_PER_REQUEST
    items = [HELLO | {name: value.format(n) for name, value in ids.items()} for n in range(MAX_ITEMS_PER_REQUEST)]
    conversation_id = as_alice.new_conversation()
    response = as_alice.post(f"/conversations/{conversation_id}/items", {"items": items})
    assert len(response.json()["data"]) == Item.objects.count() == MAX_ITEMS_PER_REQUEST
