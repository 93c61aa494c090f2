"""The parameters in the path and in the query string as OpenAPI describes them."""

from typing import Any, get_args

from conversations import ids
from conversations.api.end_users import AZURE_HEADER
from conversations.api.end_users import HEADER as END_USER_HEADER
from conversations.api.openapi.components import WITHOUT_NUL
from conversations.api.repetitions import HEADER as IDEMPOTENCY_HEADER
from conversations.api.repetitions import MAX_KEY_LENGTH as MAX_IDEMPOTENCY_KEY_LENGTH
from conversations.conf import MAX_PAGE_SIZE, app_settings
from conversations.schema.end_user import MAX_END_USER_LENGTH
from conversations.schema.include import INCLUDABLE
from conversations.schema.metadata import MAX_KEY_LENGTH, MAX_PAIRS, MAX_VALUE_LENGTH
from conversations.schema.query.nodes import MAX_CONDITIONS, Comparison
from conversations.schema.query.operators import METADATA_OPERATORS, Arity
from conversations.schema.query.parser import MAX_LENGTH
from conversations.search.activity_order import OrderBy

Parameter = dict[str, Any]

_CONVERSATION_ID = {
    "type": "string",
    "maxLength": ids.MAX_LENGTH,
    "pattern": f"^{ids.CONVERSATION_PREFIX}[A-Za-z0-9_-]*$",
}


def _text(*, max_length: int) -> dict[str, Any]:
    return {"type": "string", "maxLength": max_length, "pattern": WITHOUT_NUL}


_VALUE = _text(max_length=MAX_VALUE_LENGTH)
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
END_USER: Parameter = {
    "name": END_USER_HEADER,
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_END_USER_LENGTH},
    "description": "The name of an end user, whose conversations alone the request sees. A conversation it creates "
    f"belongs to the end user. `{AZURE_HEADER}` is another name of this header. An API key may require it.",
}
CONVERSATION_ID = _path("conversation_id", _CONVERSATION_ID)
ITEM_ID = _path("item_id", {"type": "string"})

ORDER = _query(
    "order",
    {"type": "string", "enum": ["asc", "desc"], "default": "desc"},
    "The order of creation: `desc` is the newest first.",
)
ORDER_BY = _query(
    "order_by",
    {"type": "string", "enum": list(get_args(OrderBy)), "default": "created_at"},
    "`last_item_at` orders by the time of the last item instead of by creation. Conversations that never had an item "
    "are then the least active ones.",
)
AFTER_ITEM = _query(
    "after", {"type": "string"}, "The id of an item: the page begins after it. Use `last_id` of the page before."
)
AFTER_CONVERSATION = _query(
    "after",
    _CONVERSATION_ID,
    "The id of a conversation: the page begins after it. Use `last_id` of the page before. The conversation may have "
    "been deleted since, except with `order_by=last_item_at`.",
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
        "propertyNames": {"pattern": rf"^[^\[\]\u0000]{{1,{MAX_KEY_LENGTH}}}$"},
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


def _comparisons(name: str, description: str, *, example: int) -> Parameter:
    bounds = {"type": "integer", "minimum": -(10**12) + 1, "maximum": 10**12 - 1}
    schema = {
        "type": "object",
        "properties": dict.fromkeys(get_args(Comparison), bounds),
        "additionalProperties": False,
    }
    return _query(name, schema, description, style="deepObject", explode=True, example={"gte": example})


CREATED_AT = _comparisons(
    "created_at", "Bounds of the creation time in Unix seconds: `created_at[gte]=1767225600`.", example=1767225600
)
ACTIVE_AT = _comparisons(
    "active_at",
    "Bounds of the time of the last item in Unix seconds: `active_at[gte]=1767225600`.",
    example=1767225600,
)
ITEM_COUNT = _comparisons("item_count", "Bounds of the number of items: `item_count[gte]=100`.", example=1)
_NAME = {**_text(max_length=MAX_VALUE_LENGTH), "minLength": 1}
TYPE = _query("type", _NAME, "The type of an item, such as `mcp_call`.")
TOOL = _query("tool", _NAME, "The name of a tool that an item calls.")
STATUS = _query("status", {"type": "string", "enum": ["failed"]}, "Some item reports a failure.")
HAS = _query(
    "has",
    {"type": "string", "enum": ["unanswered_call", "hold"]},
    "Some call has no output, or the conversation is on legal hold.",
)
QUERY = _query(
    "query",
    _text(max_length=MAX_LENGTH),
    "Conditions in the query language, such as `topic:demo -tenant:*`.",
)
KEY = _query("key", _text(max_length=MAX_KEY_LENGTH), "The metadata key whose values to list.", required=True)


def limit() -> Parameter:
    schema = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE, "default": app_settings.default_page_size}
    return _query("limit", schema, "The greatest number of rows in the response.")


def prefix(*, max_length: int) -> Parameter:
    return _query("prefix", _text(max_length=max_length), "The characters that the texts begin with.")
