"""An API of the project's own, with names that the app also uses, beside the app's API."""

from django.urls import include, path
from rest_framework import routers, serializers, viewsets
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import AllowAny

from conversations.api import suggestions, views
from conversations.urls import api_urls
from tests.host.tickets.models import Conversation


class ConversationSerializer(serializers.ModelSerializer):
    class Meta:
        model = Conversation
        fields = ["id", "status", "role"]


class ConversationViewSet(viewsets.ModelViewSet):
    permission_classes = [AllowAny]
    queryset = Conversation.objects.all()
    serializer_class = ConversationSerializer


class SiteConversationViewSet(views.ConversationViewSet):
    authentication_classes = [SessionAuthentication]


class SiteItemViewSet(views.ItemViewSet):
    authentication_classes = [SessionAuthentication]


class SiteSuggestionViewSet(suggestions.MetadataSuggestionViewSet):
    authentication_classes = [SessionAuthentication]


site_urls = api_urls(conversations=SiteConversationViewSet, items=SiteItemViewSet, suggestions=SiteSuggestionViewSet)
router = routers.SimpleRouter()
router.register("conversations", ConversationViewSet)

urlpatterns = [
    path("api/", include(router.urls)),
    path("<slug:tenant>/v1/", include("conversations.urls")),
    path("second/v1/", include("conversations.urls", namespace="second")),
    path("site/v1/", include((site_urls, "conversations"), namespace="site")),
]
