from django.contrib.auth.models import User
from django.urls import reverse

from conversations.models import Conversation

URL = reverse("admin:conversations_conversation_changelist")


def listed_ids(response) -> list[str]:
    return [conversation.pk for conversation in response.context["cl"].result_list]


def create_demo(alice: User) -> Conversation:
    return Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo", "lang": "en"})


def create_others(alice: User, bob: User) -> None:
    Conversation.objects.create_with_items(owner=alice, metadata={"topic": "Demo"})
    Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo "})
    Conversation.objects.create_with_items(owner=alice, metadata={"lang": "demo"})
    Conversation.objects.create_with_items(owner=bob)
