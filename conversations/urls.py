from django.urls import URLPattern, path, re_path

from conversations.api.base import InvalidURLView, ModelURLView
from conversations.api.suggestions import MetadataSuggestionViewSet
from conversations.api.views import ConversationViewSet, ItemViewSet

app_name = "conversations"


def api_urls(
    *,
    conversations: type[ConversationViewSet] = ConversationViewSet,
    items: type[ItemViewSet] = ItemViewSet,
    suggestions: type[MetadataSuggestionViewSet] = MetadataSuggestionViewSet,
) -> list[URLPattern]:
    """Return the URL patterns of the API, with the view sets of your project instead of those of the app."""
    return [
        path("conversations", conversations.as_view({"get": "list", "post": "create"}), name="conversation-list"),
        path(
            "conversations/<str:conversation_id>",
            conversations.as_view({"get": "retrieve", "post": "update", "delete": "destroy"}),
            name="conversation-detail",
        ),
        path(
            "conversations/<str:conversation_id>/fork",
            conversations.as_view({"post": "fork"}),
            name="conversation-fork",
        ),
        path(
            "conversations/<str:conversation_id>/rewind",
            conversations.as_view({"post": "rewind"}),
            name="conversation-rewind",
        ),
        path(
            "conversations/<str:conversation_id>/items",
            items.as_view({"get": "list", "post": "create"}),
            name="item-list",
        ),
        path(
            "conversations/<str:conversation_id>/items/<str:item_id>",
            items.as_view({"get": "retrieve", "delete": "destroy"}),
            name="item-detail",
        ),
        path(
            "conversation_metadata/keys",
            suggestions.as_view({"get": "list_keys"}),
            name="metadata-key-list",
        ),
        path(
            "conversation_metadata/values",
            suggestions.as_view({"get": "list_values"}),
            name="metadata-value-list",
        ),
        re_path(r"^(?:chat/completions|completions|embeddings|models|responses)(?:/|$)", ModelURLView.as_view()),
        re_path("", InvalidURLView.as_view()),
    ]


urlpatterns = api_urls()
