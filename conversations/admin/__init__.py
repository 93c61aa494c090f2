from conversations.admin.api_key import APIKeyAdmin
from conversations.admin.conversation import ConversationAdmin
from conversations.admin.filters import FormFilter, MetadataFilter, OwnerFilter

__all__ = ["APIKeyAdmin", "ConversationAdmin", "FormFilter", "MetadataFilter", "OwnerFilter"]
