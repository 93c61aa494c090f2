from typing import Any

from django.db import connections
from openai import OpenAI


def stored_texts(client: OpenAI, conversation_id: str) -> list[Any]:
    """Return the text of each message of the conversation, and the type of each other item, in order."""
    items = client.conversations.items.list(conversation_id, order="asc", limit=100)
    return [item.content[0].text if item.type == "message" else item.type for item in items]


def execute(stage: Any, sql: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    """Execute a statement in the database of the service: the models are not installed in the tests' process."""
    with stage.service.database.open() as alias, connections[alias].cursor() as cursor:
        cursor.execute(sql, parameters)
        return [tuple(row) for row in cursor.fetchall()] if cursor.description else []
