from django.contrib.admin.utils import quote
from django.http import QueryDict
from django.urls import reverse

from conversations.admin.transcript.page import Transcript
from conversations.models import Conversation
from conversations.schema.items import validate_items


class ShortPages(Transcript):
    items_per_page = 2
    items_before_item = 0


def create_conversation(owner, count: int) -> Conversation:
    conversation = Conversation.objects.create_with_items(owner=owner)
    messages = validate_items([{"role": "user", "content": "hi"}])
    conversation.add_items(items=messages * count)
    return conversation


def open_page(
    conversation: Conversation, query: str = "", transcript_class: type[Transcript] = ShortPages, **preferences: str
) -> Transcript:
    parameters = QueryDict(query.lstrip("?").partition("#")[0])
    return transcript_class(
        conversation, items=conversation.items.all(), parameters=parameters, preferences=preferences
    )


def positions(transcript: Transcript) -> list[int]:
    return [item.position for item in transcript.items]


def url(conversation: Conversation) -> str:
    return reverse("admin:conversations_conversation_change", args=[quote(conversation.pk)])
