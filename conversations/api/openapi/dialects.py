"""Translations of JSON Schema for descriptions that are not OpenAPI 3.1, or that other code rewrites."""

from collections.abc import Callable
from typing import Any

Schema = dict[str, Any]
Rule = Callable[[Schema], Schema]


def transform(schema: Schema, rule: Rule) -> Schema:
    """Apply a rule to each schema inside the schema, and then to the schema itself."""
    result = dict(schema)
    for key in ("additionalProperties", "items", "not"):
        if isinstance(result.get(key), dict):
            result[key] = transform(result[key], rule)
    for key in ("allOf", "anyOf", "oneOf"):
        if key in result:
            result[key] = [transform(each, rule) for each in result[key]]
    if "properties" in result:
        result["properties"] = {name: transform(each, rule) for name, each in result["properties"].items()}
    return rule(result)


def to_openapi_3_0(schema: Schema) -> Schema:
    """Rule: replace keywords that OpenAPI 3.0 does not have. Leave out the ones that it has no substitute for."""
    schema = {key: value for key, value in schema.items() if key not in ("examples", "propertyNames")}
    if "const" in schema:
        schema["enum"] = [schema.pop("const")]
    match schema.get("type"):
        case "null":
            schema["enum"] = [None]
            del schema["type"]
        case [json_type, "null"]:
            schema |= {"type": json_type, "nullable": True}
    if "$ref" in schema and len(schema) > 1:
        schema["allOf"] = [{"$ref": schema.pop("$ref")}]
    if _NULL_3_0 in schema.get("anyOf", []):
        alternatives = [each for each in schema.pop("anyOf") if each != _NULL_3_0]
        schema |= _nullable_3_0(alternatives)
    return schema


_NULL_3_0 = {"enum": [None]}


def _nullable_3_0(alternatives: list[Schema]) -> Schema:
    match alternatives:
        case [{"$ref": _}]:
            return {"allOf": alternatives, "nullable": True}
        case [{"enum": values} as only]:
            return {**only, "enum": [*values, None], "nullable": True}
        case [only]:
            return {**only, "nullable": True}
    return {"anyOf": alternatives, "nullable": True}


def protect_enums(schema: Schema) -> Schema:
    """Rule: wrap the enums of properties. drf-spectacular would replace them by components with names of its own.

    Enums in the rest of your project's description have the same names, such as `StatusEnum`.
    """
    properties = {name: _protect_enum(each) for name, each in schema.get("properties", {}).items()}
    return {**schema, "properties": properties} if properties else schema


def _protect_enum(schema: Schema) -> Schema:
    if "enum" in schema:
        return {"allOf": [schema]}
    if "enum" in schema.get("items", {}):
        return {**schema, "items": {"allOf": [schema["items"]]}}
    return schema
