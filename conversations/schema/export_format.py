"""The lines of an export in JSON Lines: a line for each conversation, followed by a line for each of its items.

    {"object": "conversation", "id": "conv_…", "owner": "ann", "created_at": "2026-01-01T00:00:00.123456Z",
     "metadata": {"topic": "demo"}, "item_count": 2, "last_position": 3, "last_item_at": "2026-01-01T00:00:07Z"}
    {"object": "conversation.item", "conversation_id": "conv_…", "position": 1,
     "created_at": "2026-01-01T00:00:00.123456Z", "data": {"id": "msg_…", "type": "message", …}}

`owner` is the user's natural key, which is the value of `USERNAME_FIELD`. A conversation of an end user also has
`end_user`. `item_count` items follow, so an import
detects a truncated file. Their positions ascend from 1 with gaps for deleted items, and the store never reuses a
position up to `last_position`. `last_item_at` is null if the conversation never had an item. A fork also has
`forked_from`, the id of its origin. `data` is the whole item as it is stored, of any type, without hidden members. It
is the only member whose text may have NUL characters. Times have a time zone and at most six decimals.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, NotRequired, TypeVar

from pydantic import ConfigDict, Field, PlainValidator, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from conversations import errors, ids
from conversations.schema.end_user import validate_end_user
from conversations.schema.json_limits import check_limits, check_storable, replace_lone_surrogates
from conversations.schema.metadata import validate_metadata

MAX_POSITION = 2**31 - 1
MAX_TYPE_LENGTH = 64

T = TypeVar("T")


def _conversation_id(value: Any) -> str:
    return _id(value, prefix=ids.CONVERSATION_PREFIX, path="id")


def _origin_id(value: Any) -> str:
    return _id(value, prefix=ids.CONVERSATION_PREFIX, path="forked_from")


def _end_user(value: Any) -> str:
    return validate_end_user(value, path="end_user")


def _id(value: Any, *, prefix: str = "", path: str) -> str:
    if not isinstance(value, str):
        raise errors.invalid_type(path, expected="a string", got=value)
    ids.check_id(value, prefix=prefix, path=path)
    return value


def _time(value: Any) -> datetime:
    try:
        time = datetime.fromisoformat(value).astimezone(UTC) if value[10:11] == "T" else None
    except (OverflowError, TypeError, ValueError):
        time = None
    if time is None or not 1970 <= time.year < 9999 or datetime.fromisoformat(value).tzinfo is None:
        raise ValueError("Input should be a time such as 2026-01-01T00:00:00.123456Z")
    return time


def _item(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise errors.invalid_type("data", expected="an object", got=value)
    _id(value.get("id"), path="data.id")
    item_type = value.get("type")
    if not isinstance(item_type, str) or not item_type:
        raise errors.invalid_type("data.type", expected="a string", got=item_type)
    check_storable(item_type, path="data.type")
    if len(item_type) > MAX_TYPE_LENGTH:
        raise errors.string_too_long("data.type", item_type, maximum=MAX_TYPE_LENGTH)
    return value


Time = Annotated[datetime, PlainValidator(_time)]
Count = Annotated[int, Field(ge=0, le=MAX_POSITION)]


@with_config(ConfigDict(extra="forbid", strict=True))
class ConversationLine(TypedDict):
    object: Literal["conversation"]
    id: Annotated[str, PlainValidator(_conversation_id)]
    owner: Annotated[str, Field(min_length=1)]
    end_user: NotRequired[Annotated[str, PlainValidator(_end_user)]]
    created_at: Time
    metadata: Annotated[dict[str, str], PlainValidator(validate_metadata)]
    item_count: Count
    last_position: Count
    last_item_at: Time | None
    forked_from: NotRequired[Annotated[str, PlainValidator(_origin_id)]]


@with_config(ConfigDict(extra="forbid", strict=True))
class ItemLine(TypedDict):
    object: Literal["conversation.item"]
    conversation_id: str
    position: Annotated[int, Field(ge=1, le=MAX_POSITION)]
    created_at: Time
    data: Annotated[dict[str, Any], PlainValidator(_item)]


_conversation_lines = TypeAdapter(ConversationLine)
_item_lines = TypeAdapter(ItemLine)


def validate_conversation_line(value: Any) -> ConversationLine:
    check_storable(value)
    return _validate(value, _conversation_lines)


def validate_item_line(value: Any) -> ItemLine:
    check_limits(value)
    return _validate(replace_lone_surrogates(value), _item_lines)


def _validate(value: Any, lines: TypeAdapter[T]) -> T:
    """Return the valid line, or raise an `APIError` that describes the first mistake."""
    try:
        return lines.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = ".".join(str(step) for step in first["loc"] if step in value or first["type"] == "missing")
        raise errors.APIError(f"{path}: {first['msg']}." if path else f"{first['msg']}.", param=path) from error
