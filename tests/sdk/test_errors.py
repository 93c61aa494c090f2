import pytest
from openai import APIStatusError, AuthenticationError, BadRequestError, NotFoundError, Omit

HELLO = {"type": "message", "role": "user", "content": "Hello!"}


@pytest.fixture
def conversation(client):
    return client.conversations.create(items=[HELLO])


def error_details(raised):
    error = raised.value
    assert error.request_id.startswith("req_")
    assert error.type == "invalid_request_error"
    return error.status_code, error.body["message"], error.param, error.code


def test_invalid_value_raises_bad_request(client):
    with pytest.raises(BadRequestError) as raised:
        client.conversations.create(metadata={"number": 1})
    assert error_details(raised) == (
        400,
        "Invalid type for 'metadata.number': expected a string, but got an integer instead.",
        "metadata.number",
        "invalid_type",
    )


def test_too_many_items_raise_bad_request(client, conversation):
    with pytest.raises(BadRequestError) as raised:
        client.conversations.items.create(conversation.id, items=[HELLO] * 21)
    assert error_details(raised) == (
        400,
        "Invalid 'items': array too long. Expected an array with maximum length 20, "
        "but got an array with length 21 instead.",
        "items",
        "array_above_max_length",
    )
    assert len(list(client.conversations.items.list(conversation.id))) == 1


def test_too_large_page_limit_raises_bad_request(client, conversation):
    with pytest.raises(BadRequestError) as raised:
        client.conversations.items.list(conversation.id, limit=1000)
    assert error_details(raised) == (
        400,
        "Invalid 'limit': integer above maximum value. Expected a value <= 100, but got 1000 instead.",
        "limit",
        "integer_above_max_value",
    )


def test_invalid_key_raises_authentication_error(client):
    with pytest.raises(AuthenticationError) as raised:
        client.with_options(api_key="sk-wrong-but-long-enough").conversations.create()
    assert error_details(raised) == (
        401,
        "Incorrect API key provided: sk-wrong************ough. "
        "You can find your API key at https://platform.openai.com/account/api-keys.",
        None,
        "invalid_api_key",
    )


def test_missing_key_raises_authentication_error(client):
    with pytest.raises(AuthenticationError) as raised:
        client.conversations.create(extra_headers={"Authorization": Omit()})
    assert error_details(raised) == (401, "Missing bearer or basic authentication in header", None, None)


def test_an_unknown_conversation_is_not_found(client):
    with pytest.raises(NotFoundError) as raised:
        client.conversations.retrieve("conv_unknown")
    assert error_details(raised) == (404, "Conversation with id 'conv_unknown' not found.", None, None)


def test_an_unknown_item_is_not_found(client, conversation):
    with pytest.raises(NotFoundError) as raised:
        client.conversations.items.retrieve("msg_unknown", conversation_id=conversation.id)
    assert error_details(raised) == (404, "Item with id 'msg_unknown' not found in conversation.", None, None)


def test_unknown_after_cursor_is_not_found(client, conversation):
    with pytest.raises(NotFoundError) as raised:
        client.conversations.items.list(conversation.id, after="msg_unknown")
    assert error_details(raised) == (404, "No item found with id 'msg_unknown'", "after", None)


@pytest.mark.parametrize(
    "send_request",
    [
        lambda conversations, conversation_id, item_id: conversations.retrieve(conversation_id),
        lambda conversations, conversation_id, item_id: conversations.update(conversation_id, metadata={}),
        lambda conversations, conversation_id, item_id: conversations.delete(conversation_id),
        lambda conversations, conversation_id, item_id: conversations.items.list(conversation_id),
        lambda conversations, conversation_id, item_id: conversations.items.create(conversation_id, items=[HELLO]),
        lambda conversations, conversation_id, item_id: conversations.items.retrieve(
            item_id, conversation_id=conversation_id
        ),
        lambda conversations, conversation_id, item_id: conversations.items.delete(
            item_id, conversation_id=conversation_id
        ),
    ],
    ids=["retrieve", "update", "delete", "list items", "create items", "retrieve item", "delete item"],
)
def test_conversation_of_another_user_is_not_found_by_any_method(client, endpoint, conversation, send_request):
    [item] = client.conversations.items.list(conversation.id)
    bob = client.with_options(api_key=endpoint.bobs_secret)
    with pytest.raises(NotFoundError) as raised:
        send_request(bob.conversations, conversation.id, item.id)
    assert error_details(raised) == (404, f"Conversation with id '{conversation.id}' not found.", None, None)
    assert client.conversations.retrieve(conversation.id) == conversation
    assert list(client.conversations.items.list(conversation.id)) == [item]


def test_too_large_body_is_refused(client):
    with pytest.raises(APIStatusError) as raised:
        client.conversations.create(items=[{"role": "user", "content": "x" * 1_000_000}])
    assert error_details(raised) == (
        413,
        "Request body too large. Expected at most 1000000 bytes.",
        None,
        "request_too_large",
    )


def test_unsupported_content_type_is_refused(client):
    with pytest.raises(APIStatusError) as raised:
        client.conversations.create(extra_headers={"Content-Type": "text/plain"})
    status, message, param, code = error_details(raised)
    assert (status, param, code) == (415, None, "unsupported_content_type")
    assert message.startswith("Unsupported content type: 'text/plain'.")


def test_unsupported_method_is_refused(client, conversation):
    with pytest.raises(APIStatusError) as raised:
        client.put(f"/conversations/{conversation.id}", cast_to=object)
    assert error_details(raised) == (
        405,
        f"Not allowed to PUT on /v1/conversations/{conversation.id}. "
        "(HINT: Perhaps you meant to use a different HTTP method?)",
        None,
        None,
    )


def test_unknown_url_is_not_found(client):
    with pytest.raises(NotFoundError) as raised:
        client.get("/nowhere", cast_to=object)
    assert error_details(raised) == (404, "Invalid URL (GET /v1/nowhere)", None, None)
