from django.contrib.auth.models import User
from django.urls import include, path
from django.utils import timezone
from rest_framework.routers import SimpleRouter
from rest_framework.serializers import ModelSerializer
from rest_framework.viewsets import ModelViewSet

from conversations.models import Conversation


class ConversationSerializer(ModelSerializer):
    class Meta:
        model = Conversation
        fields = ["id", "created_at", "metadata"]


class ConversationViewSet(ModelViewSet):
    """DRF's defaults: no authentication, no scoping by owner, no metadata index."""

    queryset = Conversation.objects.all()
    serializer_class = ConversationSerializer

    def perform_create(self, serializer: ConversationSerializer) -> None:
        serializer.save(owner=User.objects.get(username="admin"), created_at=timezone.now())


router = SimpleRouter(trailing_slash=False)
router.register("conversations", ConversationViewSet)
urlpatterns = [path("v1/", include(router.urls))]
