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
CONTENT = "plantedword"


def create_conversation(owner, topic: str = "demo", **metadata: str) -> Conversation:
    items = validate_items([{"role": "user", "content": CONTENT}] * 2)
    return Conversation.objects.create_with_items(owner=owner, metadata={"topic": topic, **metadata}, items=items)


def bulk_delete_url(query: dict[str, str]) -> str:
    """Return the URL of the deletion of all conversations that match the query of the list."""
    return f"{URL}?{urlencode(query)}"


def hidden_fields(response) -> dict[str, object]:
    """Return the fields that the form of a confirmation page sends beside the typed text."""
    inputs = re.findall(r'<input type="hidden" name="(\w+)"(?: value="([^"]*)")?', response.content.decode())
    fields: dict[str, object] = {name: value for name, value in inputs if name != ACTION_CHECKBOX_NAME}
    return {**fields, ACTION_CHECKBOX_NAME: [value for name, value in inputs if name == ACTION_CHECKBOX_NAME]}


def confirm(client: Client, page, url: str, typed: str, **more):
    return client.post(url, {**hidden_fields(page), "typed": typed, **more}, follow=True)


def select_in_list(client: Client, *conversations: Conversation):
    ids = [conversation.pk for conversation in conversations]
    return client.post(LIST_URL, {"action": "delete_selected", ACTION_CHECKBOX_NAME: ids})


def message_texts(response) -> list[str]:
    return [str(message) for message in response.context["messages"]]
