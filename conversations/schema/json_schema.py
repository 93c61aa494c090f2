"""JSON Schema of the items that clients send and of the items that the API returns, generated from the definitions.

The two differ: a client may leave out what the server fills in, and may send null for any member that is optional.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema

from conversations import ids
from conversations.schema.items.messages import CHAT_MEMBERS, CHAT_REPLACEMENTS
from conversations.schema.items.registry import ITEM_TYPES, ItemType, known_id_prefixes
from conversations.schema.items.types import KNOWN_VALUES, MEMBER, OTHER, variants
from conversations.schema.validation_errors import TAG

NULL = {"type": "null"}
SENT: JsonSchemaMode = "validation"
RETURNED: JsonSchemaMode = "serialization"

_item_types = {variant: item_type for item_type in ITEM_TYPES.values() for variant in variants(item_type.definition)}


@dataclass(frozen=True)
class ItemSchemas:
    """The schema of an item in each direction. Both refer to `definitions`."""

    sent: JsonSchemaValue
    returned: JsonSchemaValue
    definitions: dict[str, JsonSchemaValue]


def item_schemas(
    *,
    ref_template: str,
    unknown_fields: Literal["keep", "reject"] = "keep",
    extra_types: Collection[str] = (),
) -> ItemSchemas:
    """Return the schemas of the items that `validate_items` accepts with the same arguments, and of its results.

    `ref_template` is the target of a reference to the definition `{model}`.
    """
    types = [ITEM_TYPES[name] for name in sorted(ITEM_TYPES)]
    inputs = [(each.name, SENT, each) for each in types] + [
        (each.name, RETURNED, each) for each in types if each.id_prefix
    ]
    generator = _Generator(ref_template=ref_template, unknown_fields=unknown_fields)
    schemas, generated = generator.generate_definitions(
        [(name, mode, TypeAdapter(each.definition).core_schema) for name, mode, each in inputs]
    )
    definitions: dict[str, JsonSchemaValue] = {str(name): schema for name, schema in generated.items()}

    def define(name: str, schema: JsonSchemaValue) -> JsonSchemaValue:
        definitions[name] = schema
        return {"$ref": ref_template.format(model=name)}

    choices: dict[JsonSchemaMode, dict[str, JsonSchemaValue]] = {SENT: {}, RETURNED: {}}
    for (name, mode), schema in schemas.items():
        if "$ref" not in schema:  # a union; pydantic names only classes
            schema = define(f"{name.title().replace('_', '')}-{'Input' if mode == SENT else 'Output'}", schema)
        choices[mode][name] = schema
    sent_without_type = define("ItemReferenceWithoutType", _UNTYPED_REFERENCE)
    sent_extra = [define("ExtraItem", _extra_item(extra_types))] if extra_types else []
    unknown = define("UnknownItem", _unknown_item(choices[RETURNED]))
    return ItemSchemas(
        sent=_one_of("type", choices[SENT], sent_without_type, *sent_extra),
        returned=_one_of("type", choices[RETURNED], unknown),
        definitions=definitions,
    )


class _Generator(GenerateJsonSchema):
    def __init__(self, *, unknown_fields: Literal["keep", "reject"], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.unknown_fields = unknown_fields

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def field_is_required(self, field: Any, total: bool) -> bool:
        is_filled_in = self.mode == RETURNED and field["schema"]["type"] == "default"
        return is_filled_in or super().field_is_required(field, total)

    def typed_dict_field_schema(self, schema: core_schema.TypedDictField) -> JsonSchemaValue:
        json_schema = super().typed_dict_field_schema(schema)
        if self.mode == RETURNED:
            return {key: value for key, value in json_schema.items() if key != "default"}
        return json_schema if schema.get("required") else _nullable(json_schema)

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> JsonSchemaValue:
        json_schema = super().typed_dict_schema(schema)
        del json_schema["additionalProperties"], json_schema["title"]
        if self.mode == SENT and self.unknown_fields == "reject":
            json_schema["additionalProperties"] = False
        item_type = _item_types.get(schema.get("cls"))
        if item_type:
            self._describe_item(item_type, json_schema["properties"], json_schema["required"])
        return json_schema

    def _describe_item(self, item_type: ItemType, properties: dict[str, Any], required: list[str]) -> None:
        if self.mode == RETURNED:
            properties["id"] = {"type": "string"}
            if "id" not in required:
                required.insert(0, "id")
            return
        properties["id"] = _id_schema(item_type) if "id" in required else _nullable(_id_schema(item_type))
        if item_type.name == "message":
            properties["type"] = _nullable(properties["type"])
            required.remove("type")
            for name in sorted(CHAT_MEMBERS):
                if name in CHAT_REPLACEMENTS:
                    properties[name] = {**NULL, "description": f"Send {CHAT_REPLACEMENTS[name]}."}
                elif self.unknown_fields == "reject":
                    properties[name] = NULL

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return _nullable(self.generate_inner(schema["schema"]))

    def str_schema(self, schema: core_schema.StringSchema) -> JsonSchemaValue:
        json_schema = super().str_schema(schema)
        if known_values := schema.get("metadata", {}).get(KNOWN_VALUES):
            json_schema["examples"] = known_values
        return json_schema

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        """Return the schema of a `OneOf` or a `OneJSONType`."""
        choices = {
            str(tag).removeprefix(TAG): self.generate_inner(choice)
            for tag, choice in schema["choices"].items()
            if tag != OTHER
        }
        member = schema.get("metadata", {}).get(MEMBER)
        if not member:
            return _any_of(list(choices.values()))
        other = {
            "type": "object",
            "properties": {member: {"type": "string", "not": {"enum": list(choices)}}},
            "required": [member],
        }
        return _one_of(member, choices, *([other] if OTHER in schema["choices"] else []))


def _id_schema(item_type: ItemType | None) -> JsonSchemaValue:
    """Return the schema of the ids that `check_item_id` accepts for a type; None stands for an extra type."""
    if item_type and item_type.is_prefix_known:
        pattern = f"^{item_type.id_prefix}[A-Za-z0-9_-]{'*' if item_type.id_prefix else '+'}$"
    else:
        pattern = f"^(?!{'|'.join(known_id_prefixes())})[A-Za-z0-9_-]+$"
    return {"type": "string", "maxLength": ids.MAX_LENGTH, "pattern": pattern}


_UNTYPED_REFERENCE = {
    "type": "object",
    "description": "An `item_reference`. An object with no other member than the id needs no type.",
    "properties": {"id": _id_schema(ITEM_TYPES["item_reference"]), "type": NULL},
    "required": ["id"],
    "additionalProperties": False,
}


def _extra_item(types: Collection[str]) -> JsonSchemaValue:
    return {
        "type": "object",
        "description": "An item of a type that the server does not know and stores unchanged.",
        "properties": {"id": _nullable(_id_schema(None)), "type": {"type": "string", "enum": sorted(types)}},
        "required": ["type"],
    }


def _unknown_item(known: Collection[str]) -> JsonSchemaValue:
    return {
        "type": "object",
        "description": "An item of a type that the server does not know.",
        "properties": {"id": {"type": "string"}, "type": {"type": "string", "not": {"enum": list(known)}}},
        "required": ["id", "type"],
    }


def _one_of(member: str, choices: Mapping[str, JsonSchemaValue], *others: JsonSchemaValue) -> JsonSchemaValue:
    """Return the schema of a union whose alternatives have different values of `member`."""
    alternatives: list[JsonSchemaValue] = []
    for schema in choices.values():
        if schema not in alternatives:
            alternatives.append(schema)
    mapping = {value: schema["$ref"] for value, schema in choices.items()}
    return {"oneOf": [*alternatives, *others], "discriminator": {"propertyName": member, "mapping": mapping}}


def _any_of(alternatives: list[JsonSchemaValue]) -> JsonSchemaValue:
    if {"type": "number"} in alternatives:
        alternatives = [schema for schema in alternatives if schema != {"type": "integer"}]
    return alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives}


def _nullable(schema: JsonSchemaValue) -> JsonSchemaValue:
    """Return the schema with null as one more value."""
    notes = {key: value for key, value in schema.items() if key in ("default", "examples")}
    rules = {key: value for key, value in schema.items() if key not in notes}
    match rules:
        case {"type": str(json_type)} if json_type != "null" and not rules.keys() & {"const", "enum"}:
            return {**rules, "type": [json_type, "null"], **notes}
        case {"anyOf": [*alternatives]} if NULL not in alternatives:
            return {"anyOf": [*alternatives, NULL], **notes}
        case {"$ref": _} | {"oneOf": _} | {"const": _} | {"enum": _}:
            return {"anyOf": [rules, NULL], **notes}
        case _:
            return schema
