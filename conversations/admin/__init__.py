from conversations.admin.access_record import AccessRecordAdmin
from conversations.admin.api_key import APIKeyAdmin
from conversations.admin.conversation import ConversationAdmin
from conversations.admin.filters import FormFilter, MetadataFilter, OwnerFilter

__all__ = ["APIKeyAdmin", "AccessRecordAdmin", "ConversationAdmin", "FormFilter", "MetadataFilter", "OwnerFilter"]
