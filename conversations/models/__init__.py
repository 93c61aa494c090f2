from conversations.models.access_record import AccessRecord, AccessRecordQuerySet
from conversations.models.api_key import APIKey
from conversations.models.conversation import Conversation, ConversationQuerySet
from conversations.models.item import Item, ItemPage, ItemQuerySet
from conversations.models.metadata import MetadataPair

__all__ = [
    "APIKey",
    "AccessRecord",
    "AccessRecordQuerySet",
    "Conversation",
    "ConversationQuerySet",
    "Item",
    "ItemPage",
    "ItemQuerySet",
    "MetadataPair",
]
