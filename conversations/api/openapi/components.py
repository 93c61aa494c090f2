"""The objects of requests and responses as JSON Schema.

Their names have a prefix, so that they differ from the names in the rest of your project's description.
"""

from conversations.api.openapi.dialects import Schema
from conversations.conf import app_settings
from conversations.schema.json_schema import item_schemas
from conversations.schema.metadata import MAX_KEY_LENGTH, MAX_PAIRS, MAX_VALUE_LENGTH

PREFIX = "conversations."


TEXT: Schema = {"type": "string"}
WITHOUT_NUL = r"^[^\u0000]*$"
NULLABLE_TEXT: Schema = {"type": ["string", "null"]}


def reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{PREFIX}{name}"}


def build_components() -> dict[str, Schema]:
    """Return every schema by its name; the settings of the app change some of them."""
    items = item_schemas(
        ref_template=f"#/components/schemas/{PREFIX}{{model}}",
        unknown_fields=app_settings.unknown_item_fields,
        extra_types=app_settings.extra_item_types,
    )
    sent_items = {"type": "array", "items": reference("InputItem"), "maxItems": app_settings.max_items_per_request}
    return {
        **items.definitions,
        "InputItem": {"description": "An item that a client sends.", **items.sent},
        "ConversationItem": {"description": "An item of a conversation.", **items.returned},
        "Metadata": METADATA,
        "Conversation": CONVERSATION,
        "ConversationList": _list_of(reference("Conversation")),
        "ConversationItemList": _list_of(reference("ConversationItem")),
        "DeletedConversation": _object(
            {"id": TEXT, "object": {"type": "string", "const": "conversation.deleted"}, "deleted": {"type": "boolean"}}
        ),
        "CreateConversationBody": _body(
            {
                "metadata": {"anyOf": [reference("Metadata"), {"type": "null"}]},
                "items": {**sent_items, "type": ["array", "null"]},
            },
            required=(),
        ),
        "UpdateConversationBody": _body({"metadata": reference("Metadata")}, required=("metadata",)),
        "ForkConversationBody": _body(
            {
                "after": {**NULLABLE_TEXT, "description": "The id of the last item to copy; all items without it."},
                "metadata": {
                    "anyOf": [reference("Metadata"), {"type": "null"}],
                    "description": "The metadata of the new conversation; the same without it.",
                },
            },
            required=(),
        ),
        "RewindConversationBody": _body(
            {"after": {**TEXT, "description": "The id of the item that becomes the last one."}}, required=("after",)
        ),
        "CreateItemsBody": _body({"items": {**sent_items, "minItems": 1}}, required=("items",)),
        "MetadataTextList": _object(
            {
                "object": {"type": "string", "const": "list"},
                "data": {"type": "array", "items": TEXT},
                "has_more": {"type": "boolean"},
            }
        ),
        "Error": ERROR,
    }


def _object(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _body(properties: dict[str, Schema], *, required: tuple[str, ...]) -> Schema:
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": list(required)} if required else schema


def _list_of(row: Schema) -> Schema:
    first_or_last = "; null if the list is empty."
    return _object(
        {
            "object": {"type": "string", "const": "list"},
            "data": {"type": "array", "items": row},
            "first_id": {**NULLABLE_TEXT, "description": f"The id of the first row{first_or_last}"},
            "has_more": {"type": "boolean", "description": "Whether there are rows after the last one."},
            "last_id": {**NULLABLE_TEXT, "description": f"The id of the last row{first_or_last}"},
        }
    )


METADATA: Schema = {
    "type": "object",
    "description": f"Up to {MAX_PAIRS} pairs of texts without NUL characters.",
    "additionalProperties": {"type": "string", "maxLength": MAX_VALUE_LENGTH, "pattern": WITHOUT_NUL},
    "propertyNames": {"maxLength": MAX_KEY_LENGTH, "pattern": WITHOUT_NUL},
    "maxProperties": MAX_PAIRS,
}
CONVERSATION = _object(
    {
        "id": TEXT,
        "object": {"type": "string", "const": "conversation"},
        "created_at": {"type": "integer", "description": "Unix time in seconds."},
        "metadata": reference("Metadata"),
    }
)
ERROR = _object(
    {
        "error": _object(
            {
                "message": TEXT,
                "type": {**TEXT, "description": "For example `invalid_request_error`."},
                "param": {**NULLABLE_TEXT, "description": "The member or the query parameter that has the error."},
                "code": {**NULLABLE_TEXT, "description": "The reason, for example `unknown_parameter`."},
            }
        )
    }
)
