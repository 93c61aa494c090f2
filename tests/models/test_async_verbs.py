from inspect import signature

import pytest
from asgiref.sync import async_to_sync

from conversations.errors import APIError
from conversations.models import Conversation, ConversationQuerySet

HELLO = {"role": "user", "content": "Hello!"}


@pytest.mark.parametrize(
    ("owner", "verb"),
    [
        (ConversationQuerySet, "create_with_items"),
        *((Conversation, name) for name in ("add_items", "delete_item", "replace_metadata", "fork", "rewind")),
    ],
)
def test_asynchronous_verb_takes_the_same_arguments(owner, verb):
    synchronous, asynchronous = (signature(getattr(owner, name)) for name in (verb, f"a{verb}"))
    assert synchronous.parameters == asynchronous.parameters


def test_asynchronous_verbs_store_what_the_others_do(alice):
    async def run():
        conversation = await Conversation.objects.acreate_with_items(owner=alice, metadata={"a": "1"}, items=[HELLO])
        first, second = await conversation.aadd_items([HELLO, HELLO])
        fork = await conversation.afork(after=first.item_id, metadata={"b": "2"})
        await fork.areplace_metadata({"c": "3"})
        await conversation.adelete_item(second.item_id)
        await fork.arewind(after=None)
        return conversation, fork

    conversation, fork = async_to_sync(run)()
    assert (conversation.items.count(), fork.items.count()) == (2, 0)
    assert Conversation.objects.with_metadata(c="3").get() == fork


def test_asynchronous_verbs_validate(alice):
    async def run():
        await Conversation.objects.acreate_with_items(owner=alice, items=[{"role": "user"}])

    with pytest.raises(APIError, match="Missing required parameter"):
        async_to_sync(run)()
    assert not Conversation.objects.exists()
