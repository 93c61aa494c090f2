import pytest

from conversations.errors import APIError
from conversations.models import Conversation
from conversations.owned_conversations import OwnedConversations
from conversations.schema.items import validate_items

ITEMS = validate_items([{"role": "user", "content": text} for text in ("1", "2", "3")])


@pytest.fixture
def conversation(alice) -> Conversation:
    return Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"}, items=ITEMS)


def test_compiled_lookups_return_the_same_rows_as_the_orm(alice, conversation):
    conversations = OwnedConversations(alice)
    stored = Conversation.objects.visible_to(alice).get()
    assert vars(conversations.get(conversation.pk)) | {"_state": None} == vars(stored) | {"_state": None}
    items = list(stored.items.order_by("position"))
    for order, after, expected in (
        ("asc", None, items[:2]),
        ("desc", None, items[:0:-1]),
        ("asc", items[0].item_id, items[1:]),
        ("desc", items[0].item_id, []),
    ):
        page = conversations.items_page(stored.pk, limit=2, order=order, after=after)
        assert (page.rows, page.has_more) == ([item.data for item in expected], after is None)
    assert conversations.item_data(stored.pk, items[0].item_id) == items[0].data


def test_every_verb_refuses_the_conversation_of_another_owner(alice, bob, conversation):
    item = conversation.items.earliest("position")
    conversations = OwnedConversations(bob)
    for call in (
        lambda: conversations.get(conversation.pk),
        lambda: conversations.items_page(conversation.pk, limit=1, order="asc"),
        lambda: conversations.items_page(conversation.pk, limit=1, order="asc", after=item.item_id),
        lambda: conversations.item_data(conversation.pk, item.item_id),
        lambda: conversations.add_items(conversation.pk, items=ITEMS),
    ):
        with pytest.raises(APIError, match=f"Conversation with id '{conversation.pk}' not found"):
            call()
    assert conversation.items.count() == len(ITEMS)


@pytest.mark.parametrize("item_id", ["msg_none", "not an id"])
def test_unknown_items_are_an_error(alice, conversation, item_id):
    conversations = OwnedConversations(alice)
    with pytest.raises(APIError):
        conversations.items_page(conversation.pk, limit=1, order="asc", after=item_id)
    with pytest.raises(APIError):
        conversations.item_data(conversation.pk, item_id)


def test_lookup_within_one_owner_takes_one_query(alice, conversation, django_assert_num_queries):
    conversations = OwnedConversations(alice)
    item_id = conversation.items.earliest("position").item_id
    for call in (
        lambda: conversations.get(conversation.pk),
        lambda: conversations.items_page(conversation.pk, limit=1, order="asc", after=item_id),
        lambda: conversations.item_data(conversation.pk, item_id),
    ):
        with django_assert_num_queries(1):
            call()
