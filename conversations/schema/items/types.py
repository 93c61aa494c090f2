"""Building blocks of the item definitions.

Every definition is a TypedDict that lists its members in the order of OpenAI's answers. Validation returns the members
in this order, followed by unknown members in the order in which they were sent.
"""

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NotRequired, TypeVar, get_args, get_origin, get_type_hints

from pydantic import AliasChoices, ConfigDict, Field, GetCoreSchemaHandler, with_config
from pydantic_core import CoreSchema, PydanticOmit, core_schema
from typing_extensions import TypedDict, is_typeddict

from conversations.schema.validation_errors import TAG

OTHER = TAG * 2  # the tag of an object that is none of the alternatives of an open union
# Metadata of the core schemas, for their JSON Schema: the member that distinguishes the alternatives of a `OneOf`, and
# the values of an `Open` text that are known.
MEMBER, KNOWN_VALUES = "conversations_member", "conversations_known_values"
_NULLABLE = {"any", "default", "none", "nullable"}  # A "default" comes from `DefaultTo`, which replaces null itself.


@with_config(ConfigDict(extra="allow", strict=True))
class JSONObject(TypedDict):
    """A JSON object that keeps unknown members."""


@dataclass(frozen=True)
class OneOf:
    """Annotation of a union of objects whose member `key` has other literal values in each.

    An open union also accepts any object with another value. It is for what a client merely passes on, such as tool
    definitions, so that an SDK that is newer than this package loses nothing.
    """

    key: str = "type"
    is_open: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        choices: dict[str, CoreSchema] = {}
        for member in get_args(source):
            schema = handler.generate_schema(member)
            for value in literal_values(member, self.key):
                choices[TAG + value] = schema
        if self.is_open:
            choices[OTHER] = core_schema.dict_schema(core_schema.str_schema(strict=True))

        def discriminate(value: Any) -> str | None:
            if not isinstance(value, dict):
                return None
            tag = value.get(self.key)
            if tag is None:
                return TAG
            if not isinstance(tag, str):
                return TAG + json.dumps(tag)
            return OTHER if self.is_open and TAG + tag not in choices else TAG + tag

        return core_schema.tagged_union_schema(choices, discriminator=discriminate, metadata={MEMBER: self.key})


@dataclass(frozen=True)
class OneJSONType:
    """Annotation of a union whose alternatives have different JSON types, such as `str | list[X]`."""

    expected: str  # OpenAI's wording in error messages, such as "one of a string or array of objects"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        choices = {_python_type(member): handler.generate_schema(member) for member in get_args(source)}

        def discriminate(value: Any) -> str | None:
            return TAG + type(value).__name__ if type(value) in choices else None

        return core_schema.tagged_union_schema(
            {TAG + json_type.__name__: schema for json_type, schema in choices.items()},
            discriminator=discriminate,
            custom_error_type="invalid_type",
            custom_error_message="{expected}",
            custom_error_context={"expected": self.expected},
        )


class _AnyText:
    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.str_schema(strict=True, metadata={KNOWN_VALUES: list(get_args(source))})


T = TypeVar("T")
Open = Annotated[T, _AnyText()]  # `Open[Literal[…]]` accepts any text. The literals are the values that are known.


@dataclass(frozen=True)
class DefaultTo:
    """Annotation of a `NotRequired` member with the value that it gets if it is missing or null."""

    value: Any

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def fill_null(value: Any) -> Any:
            return self.value if value is None else value

        return core_schema.with_default_schema(
            core_schema.no_info_before_validator_function(fill_null, handler(source)), default=self.value
        )


def reserved_name(name: str) -> Any:
    """Return the annotation of a member that may also be sent as `name_`.

    The `model_dump()` of OpenAI's Python client writes it so, because its classes can't have an attribute `name`.
    """
    return Field(validation_alias=AliasChoices(name, f"{name}_"))


def drop_nulls(schema: CoreSchema) -> CoreSchema:
    """Return the schema with one more rule: a null is dropped if the member is optional and may not be null.

    The classes of OpenAI's Python client write each member that is not set as null (`model_dump()`), whether or not
    OpenAI's schema allows null there.
    """
    dropping: CoreSchema = _drop_nulls(schema)
    return dropping


def _drop_nulls(part: Any) -> Any:
    if isinstance(part, list):
        return [_drop_nulls(entry) for entry in part]
    if not isinstance(part, dict):
        return part
    part = {key: _drop_nulls(value) for key, value in part.items()}
    if part.get("type") == "typed-dict-field" and not part["required"] and not _is_nullable(part["schema"]):
        part["schema"] = core_schema.no_info_before_validator_function(_omit_null, part["schema"])
    return part


def _is_nullable(schema: Any) -> bool:
    if schema["type"].startswith("function-"):
        return _is_nullable(schema["schema"])
    return schema["type"] in _NULLABLE


def _omit_null(value: Any) -> Any:
    if value is None:
        raise PydanticOmit
    return value


def literal_values(definition: Any, key: str) -> tuple[str, ...]:
    """Return the values that `Literal[...]` allows for a member of a TypedDict, or of any TypedDict in a union."""
    return tuple(value for member in variants(definition) for value in get_args(get_type_hints(member)[key]))


def variants(definition: Any) -> tuple[Any, ...]:
    """Return the TypedDicts of a definition, which is one TypedDict or a union, with or without annotations."""
    if get_origin(definition) is Annotated:
        return variants(definition.__origin__)
    if is_typeddict(definition):
        return (definition,)
    return tuple(variant for member in get_args(definition) for variant in variants(member))


def _python_type(definition: Any) -> type:
    if get_origin(definition) is Annotated:
        return _python_type(definition.__origin__)
    if get_origin(definition) is Literal:
        return str
    if is_typeddict(definition):
        return dict
    python_type: type = get_origin(definition) or definition
    return python_type


Number = Annotated[int | float, OneJSONType("a decimal")]
CallID = Annotated[str, Field(min_length=1, max_length=64)]
LongText = Annotated[str, Field(max_length=10_485_760)]
NonEmptyText = Annotated[str, Field(min_length=1)]
FunctionName = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[a-zA-Z0-9_-]+$")]
Namespace = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")]

Status = Literal["in_progress", "completed", "incomplete"]
CompletedStatus = Annotated[Status, DefaultTo("completed")]

# A class body can't name a member `async`.
Background = TypedDict("Background", {"async": NotRequired[Annotated[bool, reserved_name("async")]]})
