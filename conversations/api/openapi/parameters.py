"""The parameters in the path and in the query string as OpenAPI describes them."""

from typing import Any, get_args

from conversations import ids
from conversations.api.repetitions import HEADER as IDEMPOTENCY_HEADER
from conversations.api.repetitions import MAX_KEY_LENGTH as MAX_IDEMPOTENCY_KEY_LENGTH
from conversations.conf import MAX_PAGE_SIZE, app_settings
from conversations.schema.include import INCLUDABLE
from conversations.schema.metadata import MAX_KEY_LENGTH, MAX_PAIRS, MAX_VALUE_LENGTH
from conversations.schema.query.nodes import MAX_CONDITIONS, CreatedOperator
from conversations.schema.query.operators import METADATA_OPERATORS, Arity
from conversations.schema.query.parser import MAX_LENGTH

Parameter = dict[str, Any]

_CONVERSATION_ID = {
    "type": "string",
    "maxLength": ids.MAX_LENGTH,
    "pattern": f"^{ids.CONVERSATION_PREFIX}[A-Za-z0-9_-]*$",
}
_VALUE = {"type": "string", "maxLength": MAX_VALUE_LENGTH}
_VALUES_BY_ARITY: dict[Arity, dict[str, Any]] = {
    Arity.NO_VALUE: {"type": "boolean"},
    Arity.ONE_VALUE: _VALUE,
    Arity.MANY_VALUES: {"type": "array", "items": _VALUE},
}


# The operators of metadata conditions that take several values, as in "`in` and `nin`".
_LIST_OPERATORS = " and ".join(
    f"`{each.name}`" for each in METADATA_OPERATORS.values() if each.arity is Arity.MANY_VALUES
)


def _path(name: str, schema: dict[str, Any]) -> Parameter:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query(name: str, schema: dict[str, Any], description: str, **more: Any) -> Parameter:
    return {"name": name, "in": "query", "schema": schema, "description": description, **more}


IDEMPOTENCY_KEY: Parameter = {
    "name": IDEMPOTENCY_HEADER,
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_IDEMPOTENCY_KEY_LENGTH},
    "description": "A new text for each request. Its repetitions within 24 hours get the first answer again.",
}
CONVERSATION_ID = _path("conversation_id", _CONVERSATION_ID)
ITEM_ID = _path("item_id", {"type": "string"})

ORDER = _query(
    "order",
    {"type": "string", "enum": ["asc", "desc"], "default": "desc"},
    "The order of creation: `desc` is the newest first.",
)
AFTER_ITEM = _query(
    "after", {"type": "string"}, "The id of an item: the page begins after it. Use `last_id` of the page before."
)
AFTER_CONVERSATION = _query(
    "after",
    _CONVERSATION_ID,
    "The id of a conversation, which may have been deleted since: the page begins after it. Use `last_id` of the page "
    "before.",
)
BEFORE_CONVERSATION = _query(
    "before", _CONVERSATION_ID, "The id of a conversation: the page ends before it. Excludes `after`."
)
INCLUDE = _query(
    "include[]",
    {"type": "array", "items": {"type": "string", "enum": list(INCLUDABLE)}},
    "Members that the response has only if they are named here.",
)
METADATA = _query(
    "metadata",
    {
        "type": "object",
        "maxProperties": MAX_PAIRS,
        "propertyNames": {"pattern": rf"^[^\[\]]{{1,{MAX_KEY_LENGTH}}}$"},
        "additionalProperties": {
            "anyOf": [
                _VALUE,
                {
                    "type": "object",
                    "properties": {each.name: _VALUES_BY_ARITY[each.arity] for each in METADATA_OPERATORS.values()},
                    "additionalProperties": False,
                },
            ]
        },
    },
    "Conditions on metadata. All must hold: `metadata[key]=value`, or `metadata[key][operator]=value` with "
    f"one of the operators {', '.join(METADATA_OPERATORS)}. The values of {_LIST_OPERATORS} are written "
    f"`metadata[key][in][]=a&metadata[key][in][]=b`. At most {MAX_CONDITIONS} conditions.",
    style="deepObject",
    explode=True,
    example={"topic": "demo"},
)
CREATED_AT = _query(
    "created_at",
    {
        "type": "object",
        "properties": {
            operator: {"type": "integer", "minimum": -(10**12) + 1, "maximum": 10**12 - 1}
            for operator in get_args(CreatedOperator)
        },
        "additionalProperties": False,
    },
    "Bounds of the creation time in Unix seconds: `created_at[gte]=1767225600`.",
    style="deepObject",
    explode=True,
    example={"gte": 1767225600},
)
QUERY = _query(
    "query",
    {"type": "string", "maxLength": MAX_LENGTH},
    "Conditions in the query language, such as `topic:demo -tenant:*`.",
)
KEY = _query(
    "key", {"type": "string", "maxLength": MAX_KEY_LENGTH}, "The metadata key whose values to list.", required=True
)


def limit() -> Parameter:
    schema = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE, "default": app_settings.default_page_size}
    return _query("limit", schema, "The greatest number of rows in the response.")


def prefix(*, max_length: int) -> Parameter:
    return _query("prefix", {"type": "string", "maxLength": max_length}, "The characters that the texts begin with.")
