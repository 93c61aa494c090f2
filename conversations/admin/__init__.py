from conversations.admin.access_record import AccessRecordAdmin
from conversations.admin.api_key import APIKeyAdmin
from conversations.admin.conversation import ConversationAdmin
from conversations.admin.deleted_conversation import DeletedConversationAdmin
from conversations.admin.filters import FormFilter
from conversations.admin.retention_rule import RetentionRuleAdmin
from conversations.admin.saved_view import SavedViewAdmin

__all__ = [
    "APIKeyAdmin",
    "AccessRecordAdmin",
    "ConversationAdmin",
    "DeletedConversationAdmin",
    "FormFilter",
    "RetentionRuleAdmin",
    "SavedViewAdmin",
]
