import pytest
from openai import NotFoundError


def user_message(text):
    return {"type": "message", "role": "user", "content": text}


@pytest.fixture
def conversation(client):
    return client.conversations.create()


@pytest.fixture
def long_conversation(client):
    """A conversation whose items have the texts 0 to 104."""
    conversation = client.conversations.create(items=[user_message(str(number)) for number in range(5)])
    for first in range(5, 105, 20):
        items = [user_message(str(number)) for number in range(first, first + 20)]
        client.conversations.items.create(conversation.id, items=items)
    return conversation


def numbers(items):
    return [int(item.content[0].text) for item in items]


def test_create_returns_the_added_items_in_order(client, conversation):
    added = client.conversations.items.create(conversation.id, items=[user_message("one"), user_message("two")])
    assert added.object == "list"
    assert [item.content[0].text for item in added.data] == ["one", "two"]
    assert (added.first_id, added.last_id) == (added.data[0].id, added.data[1].id)
    assert not added.has_more


def test_created_item_can_be_retrieved(client, conversation):
    added = client.conversations.items.create(conversation.id, items=[user_message("one")])
    item = client.conversations.items.retrieve(added.data[0].id, conversation_id=conversation.id)
    assert item == added.data[0]


def test_deleting_an_item_keeps_the_others_and_returns_the_conversation(client):
    conversation = client.conversations.create(
        metadata={"topic": "demo"}, items=[user_message("1"), user_message("2"), user_message("3")]
    )
    second = list(client.conversations.items.list(conversation.id))[1]
    assert client.conversations.items.delete(second.id, conversation_id=conversation.id) == conversation
    assert numbers(client.conversations.items.list(conversation.id, order="asc")) == [1, 3]
    with pytest.raises(NotFoundError):
        client.conversations.items.retrieve(second.id, conversation_id=conversation.id)


def test_list_returns_the_newest_twenty_items_by_default(client, long_conversation):
    page = client.conversations.items.list(long_conversation.id)
    assert numbers(page.data) == list(range(104, 84, -1))
    assert page.has_more
    assert page.last_id == page.data[-1].id


@pytest.mark.parametrize("limit", [7, 20, 35, 100])
def test_auto_paging_yields_every_item_once(client, long_conversation, limit):
    newest_first = client.conversations.items.list(long_conversation.id, limit=limit)
    assert numbers(newest_first) == list(range(104, -1, -1))
    oldest_first = client.conversations.items.list(long_conversation.id, limit=limit, order="asc")
    assert numbers(oldest_first) == list(range(105))


def test_list_continues_after_a_cursor(client, long_conversation):
    first = client.conversations.items.list(long_conversation.id, order="asc", limit=100)
    rest = client.conversations.items.list(long_conversation.id, order="asc", after=first.last_id)
    assert numbers(rest.data) == [100, 101, 102, 103, 104]
    assert not rest.has_more
    assert not rest.has_next_page()


def test_include_reveals_members_on_every_endpoint_and_page(client, conversation):
    pictures = [
        {
            "role": "user",
            "content": [{"type": "input_image", "detail": "auto", "image_url": f"https://example.com/{number}.png"}],
        }
        for number in range(3)
    ]
    include = ["message.input_image.image_url", "reasoning.encrypted_content"]

    def urls(items):
        return [item.content[0].image_url for item in items]

    expected = ["https://example.com/0.png", "https://example.com/1.png", "https://example.com/2.png"]
    added = client.conversations.items.create(conversation.id, items=pictures, include=include)
    assert urls(added.data) == expected
    pages = client.conversations.items.list(conversation.id, order="asc", limit=1, include=include)
    assert urls(pages) == expected
    assert urls(client.conversations.items.list(conversation.id)) == [None, None, None]
    item = client.conversations.items.retrieve(added.last_id, conversation_id=conversation.id, include=include)
    assert urls([item]) == expected[2:]


def test_tool_call_items_are_returned_typed(client, conversation):
    call = {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city": "Köln"}'}
    output = {"type": "function_call_output", "call_id": "call_1", "output": "rain"}
    added = client.conversations.items.create(conversation.id, items=[call, output])
    assert [item.type for item in added.data] == ["function_call", "function_call_output"]
    assert added.data[0].arguments == '{"city": "Köln"}'
    assert added.data[1].output == "rain"
