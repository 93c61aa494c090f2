"""An API for the pages of a site, with view sets and a serializer of its own."""

from typing import Any

from django.contrib import admin
from django.urls import include, path
from rest_framework import serializers
from rest_framework.authentication import SessionAuthentication

from conversations.api.serializers import ConversationSerializer
from conversations.api.suggestions import MetadataSuggestionViewSet
from conversations.api.views import ConversationViewSet, ItemViewSet
from conversations.models import Conversation, ConversationQuerySet
from conversations.urls import api_urls


class TitledSerializer(ConversationSerializer):
    """A conversation whose title is one of its metadata."""

    title = serializers.CharField(required=False)

    def create(self, validated_data: dict[str, Any]) -> Conversation:
        metadata = {**(validated_data.get("metadata") or {}), "title": validated_data.pop("title", "")}
        return super().create({**validated_data, "metadata": metadata})

    def to_representation(self, instance: Conversation) -> dict[str, Any]:
        return {**super().to_representation(instance), "title": instance.metadata["title"]}


class SiteConversationViewSet(ConversationViewSet):
    authentication_classes = [SessionAuthentication]
    serializer_class = TitledSerializer


class SiteItemViewSet(ItemViewSet):
    authentication_classes = [SessionAuthentication]
    conversation_serializer_class = TitledSerializer


class SiteSuggestionViewSet(MetadataSuggestionViewSet):
    authentication_classes = [SessionAuthentication]


class DemoOnly:
    """Limits a view set to the conversations about the topic "demo"."""

    def get_queryset(self) -> ConversationQuerySet:
        return super().get_queryset().with_metadata(topic="demo")


class DemoConversationViewSet(DemoOnly, ConversationViewSet):
    pass


class DemoItemViewSet(DemoOnly, ItemViewSet):
    pass


class DemoSuggestionViewSet(DemoOnly, MetadataSuggestionViewSet):
    pass


site_urls = api_urls(conversations=SiteConversationViewSet, items=SiteItemViewSet, suggestions=SiteSuggestionViewSet)
demo_urls = api_urls(conversations=DemoConversationViewSet, items=DemoItemViewSet, suggestions=DemoSuggestionViewSet)
urlpatterns = [
    path("admin/", admin.site.urls),
    path("v1/", include("conversations.urls")),
    path("site/", include((site_urls, "conversations"), namespace="site")),
    path("demo/", include((demo_urls, "conversations"), namespace="demo")),
]
