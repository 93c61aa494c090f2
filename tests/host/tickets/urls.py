"""An API of the project's own, with names that the app also uses, beside the app's API."""

from django.urls import include, path
from rest_framework import routers, serializers, viewsets
from rest_framework.permissions import AllowAny

from tests.host.tickets.models import Conversation


class ConversationSerializer(serializers.ModelSerializer):
    class Meta:
        model = Conversation
        fields = ["id", "status", "role"]


class ConversationViewSet(viewsets.ModelViewSet):
    permission_classes = [AllowAny]
    queryset = Conversation.objects.all()
    serializer_class = ConversationSerializer


router = routers.SimpleRouter()
router.register("conversations", ConversationViewSet)

urlpatterns = [
    path("api/", include(router.urls)),
    path("<slug:tenant>/v1/", include("conversations.urls")),
]
