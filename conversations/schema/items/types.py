"""What the item definitions are built of.

Every definition is a TypedDict that lists its members in the order of OpenAI's answers, which is the order that
validation gives them; members it does not know follow as they came.
"""

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, Field, GetCoreSchemaHandler, with_config
from pydantic_core import CoreSchema, core_schema
from typing_extensions import TypedDict, is_typeddict

from conversations.schema.validation_errors import TAG


@with_config(ConfigDict(extra="allow", strict=True))
class JSONObject(TypedDict):
    """An object that keeps the members it does not know."""


@dataclass(frozen=True)
class OneOf:
    """Makes `A | B` a union that is told apart by the literal values of the member `key`."""

    key: str = "type"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        choices: dict[str, CoreSchema] = {}
        for member in get_args(source):
            schema = handler.generate_schema(member)
            for value in literal_values(member, self.key):
                choices[TAG + value] = schema

        def discriminate(value: Any) -> str | None:
            if not isinstance(value, dict):
                return None
            tag = value.get(self.key)
            if tag is None:
                return TAG
            return TAG + (tag if isinstance(tag, str) else json.dumps(tag))

        return core_schema.tagged_union_schema(choices, discriminator=discriminate)


@dataclass(frozen=True)
class OneKind:
    """Makes a union of which each member has a JSON type of its own: `str | list[X]`, `str | SomeObject`."""

    expected: str  # in OpenAI's words, for the error: "one of a string or array of objects"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        choices = {_python_type(member): handler.generate_schema(member) for member in get_args(source)}

        def discriminate(value: Any) -> str | None:
            return TAG + type(value).__name__ if type(value) in choices else None

        return core_schema.tagged_union_schema(
            {TAG + kind.__name__: schema for kind, schema in choices.items()},
            discriminator=discriminate,
            custom_error_type="invalid_type",
            custom_error_message="{expected}",
            custom_error_context={"expected": self.expected},
        )


@dataclass(frozen=True)
class DefaultTo:
    """Gives a `NotRequired` member this value when it is missing or null."""

    value: Any

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def fill_null(value: Any) -> Any:
            return self.value if value is None else value

        return core_schema.with_default_schema(
            core_schema.no_info_before_validator_function(fill_null, handler(source)), default=self.value
        )


def literal_values(definition: Any, key: str) -> tuple[str, ...]:
    """Return the values that `Literal[...]` allows for a member of a TypedDict, or of any TypedDict in a union."""
    if get_origin(definition) is Annotated:
        return tuple(value for member in get_args(definition.__origin__) for value in literal_values(member, key))
    return get_args(get_type_hints(definition)[key])


def _python_type(definition: Any) -> type:
    if get_origin(definition) is Annotated:
        return _python_type(definition.__origin__)
    if get_origin(definition) is Literal:
        return str
    if is_typeddict(definition):
        return dict
    kind: type = get_origin(definition) or definition
    return kind


Number = Annotated[int | float, OneKind("a decimal")]
CallID = Annotated[str, Field(min_length=1, max_length=64)]
LongText = Annotated[str, Field(max_length=10_485_760)]
NonEmptyText = Annotated[str, Field(min_length=1)]
FunctionName = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[a-zA-Z0-9_-]+$")]
Namespace = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")]

Status = Literal["in_progress", "completed", "incomplete"]
CompletedStatus = Annotated[Status, DefaultTo("completed")]
