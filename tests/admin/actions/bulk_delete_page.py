import re

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client
from django.urls import reverse
from django.utils.http import urlencode

from conversations.models import Conversation
from conversations.schema.items import validate_items

LIST_URL = reverse("admin:conversations_conversation_changelist")
URL = reverse("admin:conversations_conversation_bulk_deletion")
DEMO = {"metadata_key": "topic", "metadata_operator": "eq", "metadata_value": "demo"}
PLANTED = "plantedword"


def create(owner, topic: str = "demo", **metadata: str) -> Conversation:
    items = validate_items([{"role": "user", "content": PLANTED}] * 2)
    return Conversation.create_with_items(owner=owner, metadata={"topic": topic, **metadata}, items=items)


def matching(query: dict[str, str]) -> str:
    return f"{URL}?{urlencode(query)}"


def hidden(response) -> dict[str, object]:
    """What the form of a page sends besides what is typed."""
    found = re.findall(r'<input type="hidden" name="(\w+)"(?: value="([^"]*)")?', response.content.decode())
    fields: dict[str, object] = {name: value for name, value in found if name != ACTION_CHECKBOX_NAME}
    return {**fields, ACTION_CHECKBOX_NAME: [value for name, value in found if name == ACTION_CHECKBOX_NAME]}


def confirm(client: Client, page, url: str, typed: str, **more):
    return client.post(url, {**hidden(page), "typed": typed, **more}, follow=True)


def select(client: Client, *conversations: Conversation):
    ids = [conversation.pk for conversation in conversations]
    return client.post(LIST_URL, {"action": "delete_selected", ACTION_CHECKBOX_NAME: ids})


def messages(response) -> list[str]:
    return [str(message) for message in response.context["messages"]]
