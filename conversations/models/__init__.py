from conversations.db.request_keys.pending_record import PendingRecord
from conversations.models.access_record import AccessRecord, AccessRecordQuerySet, Actor, RunRecord
from conversations.models.api_key import APIKey
from conversations.models.conversation import Conversation, ConversationQuerySet
from conversations.models.deleted_conversation import DeletedConversation, DeletedConversationQuerySet, DeletedPart
from conversations.models.item import Item, ItemQuerySet
from conversations.models.overview import FigureKind, FigureName, Overview, OverviewFigure
from conversations.models.periodic_task import PeriodicTask, PeriodicTaskQuerySet
from conversations.models.preferences import Preferences, PreferencesQuerySet
from conversations.models.request_record import RequestRecord, RequestRecordQuerySet
from conversations.models.retention_rule import RetentionRule
from conversations.models.saved_view import SavedView, SavedViewQuerySet
from conversations.search.item_text import ItemText
from conversations.search.metadata_pair import MetadataPair, MetadataPairQuerySet

__all__ = [
    "APIKey",
    "AccessRecord",
    "AccessRecordQuerySet",
    "Actor",
    "Conversation",
    "ConversationQuerySet",
    "DeletedConversation",
    "DeletedConversationQuerySet",
    "DeletedPart",
    "FigureKind",
    "FigureName",
    "Item",
    "ItemQuerySet",
    "ItemText",
    "MetadataPair",
    "MetadataPairQuerySet",
    "Overview",
    "OverviewFigure",
    "PendingRecord",
    "PeriodicTask",
    "PeriodicTaskQuerySet",
    "Preferences",
    "PreferencesQuerySet",
    "RequestRecord",
    "RequestRecordQuerySet",
    "RetentionRule",
    "RunRecord",
    "SavedView",
    "SavedViewQuerySet",
]
