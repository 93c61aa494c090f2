from django.urls import path, re_path

from conversations.api.base import InvalidURLView, ModelURLView
from conversations.api.suggestions import MetadataSuggestionViewSet
from conversations.api.views import ConversationViewSet, ItemViewSet

app_name = "conversations"

urlpatterns = [
    path("conversations", ConversationViewSet.as_view({"get": "list", "post": "create"}), name="conversation-list"),
    path(
        "conversations/<str:conversation_id>",
        ConversationViewSet.as_view({"get": "retrieve", "post": "update", "delete": "destroy"}),
        name="conversation-detail",
    ),
    path(
        "conversations/<str:conversation_id>/fork",
        ConversationViewSet.as_view({"post": "fork"}),
        name="conversation-fork",
    ),
    path(
        "conversations/<str:conversation_id>/rewind",
        ConversationViewSet.as_view({"post": "rewind"}),
        name="conversation-rewind",
    ),
    path(
        "conversations/<str:conversation_id>/items",
        ItemViewSet.as_view({"get": "list", "post": "create"}),
        name="item-list",
    ),
    path(
        "conversations/<str:conversation_id>/items/<str:item_id>",
        ItemViewSet.as_view({"get": "retrieve", "delete": "destroy"}),
        name="item-detail",
    ),
    path(
        "conversation_metadata/keys", MetadataSuggestionViewSet.as_view({"get": "list_keys"}), name="metadata-key-list"
    ),
    path(
        "conversation_metadata/values",
        MetadataSuggestionViewSet.as_view({"get": "list_values"}),
        name="metadata-value-list",
    ),
    re_path(r"^(?:chat/completions|completions|embeddings|models|responses)(?:/|$)", ModelURLView.as_view()),
    re_path("", InvalidURLView.as_view()),
]
