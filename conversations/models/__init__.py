from conversations.models.api_key import APIKey
from conversations.models.conversation import Conversation, ConversationQuerySet
from conversations.models.item import Item, ItemPage, ItemQuerySet
from conversations.models.metadata import MetadataPair

__all__ = [
    "APIKey",
    "Conversation",
    "ConversationQuerySet",
    "Item",
    "ItemPage",
    "ItemQuerySet",
    "MetadataPair",
]
