import secrets

import pytest
from openai import BadRequestError
from openai.pagination import AsyncConversationCursorPage, SyncConversationCursorPage
from openai.types.conversations import Conversation

from tests.sdk.blocking import Blocking


@pytest.fixture
def batch() -> str:
    """Metadata value that identifies the conversations of one test, because tests share the live service."""
    return secrets.token_hex(4)


@pytest.fixture
def conversation_ids(client, batch) -> list[str]:
    """The ids of five conversations, newest first."""
    return [client.conversations.create(metadata={"batch": batch, "n": str(n)}).id for n in range(5)][::-1]


@pytest.fixture(params=["get_api_list", "after"])
def list_ids(request, client):
    """Function that lists all conversations in pages of two, by the client's pagination or by a loop over `after`."""

    def list_by_pagination(params):
        page = AsyncConversationCursorPage if isinstance(client, Blocking) else SyncConversationCursorPage
        options = {"params": {**params, "limit": 2}}
        pages = client.get_api_list("/conversations", page=page[Conversation], model=Conversation, options=options)
        return [conversation.id for conversation in pages]

    def list_by_loop(params):
        ids, after = [], None
        while True:
            options = {"params": {**params, "limit": 2, "after": after}}
            page = client.get("/conversations", cast_to=object, options=options)
            ids += [conversation["id"] for conversation in page["data"]]
            if not page["has_more"]:
                return ids
            after = page["last_id"]

    return {"get_api_list": list_by_pagination, "after": list_by_loop}[request.param]


def test_list_can_be_paged_to_its_end(list_ids, conversation_ids, batch):
    assert list_ids({"metadata": {"batch": batch}}) == conversation_ids
    assert list_ids({"metadata": {"batch": batch}, "order": "asc"}) == conversation_ids[::-1]


def test_nested_filter_parameters_are_accepted(list_ids, conversation_ids, batch):
    newest, *_, oldest = conversation_ids
    assert list_ids({"metadata": {"batch": batch, "n": {"in": ["0", "4"]}}}) == [newest, oldest]
    assert list_ids({"metadata": {"batch": batch, "n": {"exists": False}}}) == []
    assert list_ids({"query": f"batch:{batch} (n:0 OR n:4)"}) == [newest, oldest]


def test_invalid_filter_raises_bad_request(client):
    with pytest.raises(BadRequestError) as raised:
        client.get("/conversations", cast_to=object, options={"params": {"metadata": {"a": {"like": "x"}}}})
    assert (raised.value.param, raised.value.code) == ("metadata[a][like]", "invalid_operator")
