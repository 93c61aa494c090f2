"""The facts of an OpenAPI description that matter to a client, so that two descriptions can be compared.

    {"createConversation": {"POST /conversations": [], "body.items": ["array", "maxItems 20", "null", "optional"], …}}

Each operation has facts about its URL, parameters, members of the body, statuses, and members of the response.
"""

from collections.abc import Iterable
from typing import Any

Facts = dict[str, set[str]]

_BOUNDS = ("maxItems", "maxLength", "maxProperties", "maximum", "minItems", "minimum")
_METHODS = ("get", "post", "delete")


def operation_facts(description: dict[str, Any]) -> dict[str, Facts]:
    """Return the facts about each operation by its id."""
    return {
        operation["operationId"]: _Reader(description).operation(f"{method.upper()} {path}", operation)
        for path, operations in description["paths"].items()
        for method, operation in operations.items()
        if method in _METHODS
    }


class _Reader:
    def __init__(self, description: dict[str, Any]) -> None:
        self.description = description
        self.facts: Facts = {}

    def operation(self, url: str, operation: dict[str, Any]) -> Facts:
        self.facts[url] = set()
        for parameter in operation.get("parameters", []):
            name = parameter["name"].removesuffix("[]")
            path = f"{parameter['in']} {name}"
            self.value(path, parameter["schema"], is_required=parameter.get("required", False))
            if name != parameter["name"]:
                self.facts[path].add(f"written {parameter['name']}")
        if body := operation.get("requestBody"):
            schema = body["content"]["application/json"]["schema"]
            self.value("body", schema, is_required=body.get("required", False))
        for status, response in operation["responses"].items():
            self.facts[f"status {status}"] = set()
            if status == "200":
                self.value("response", response["content"]["application/json"]["schema"])
        return self.facts

    def value(self, path: str, schema: dict[str, Any], *, is_required: bool | None = None) -> None:
        facts = self.facts.setdefault(path, set())
        if types := self.item_types(schema):
            facts |= {f"'{name}'" for name in types}
            return
        if is_required is not None:
            facts.add("required" if is_required else "optional")
        for alternative in self.alternatives(schema):
            facts |= _value_facts(alternative)
            for name, member in alternative.get("properties", {}).items():
                self.value(f"{path}.{name}", member, is_required=name in alternative.get("required", []))
            if isinstance(alternative.get("additionalProperties"), dict):
                self.value(f"{path}{{}}", alternative["additionalProperties"])
            if "items" in alternative:
                self.value(f"{path}[]", alternative["items"])

    def item_types(self, schema: dict[str, Any]) -> set[str]:
        """Return the types of items if the schema is a union of items: nothing else about them is compared here."""
        types = [each.get("properties", {}).get("type") for each in self.alternatives(schema)]
        literals = [value for each in types if each for inner in self.alternatives(each) for value in _literals(inner)]
        return set(literals) if len(literals) > 1 else set()

    def alternatives(self, schema: dict[str, Any]) -> Iterable[dict[str, Any]]:
        """Yield the schemas of a union without references and without unions inside."""
        notes = {key: value for key, value in schema.items() if key == "default"}
        while "$ref" in schema:
            schema = self.description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        union = [*schema.get("anyOf", []), *schema.get("oneOf", []), *schema.get("allOf", [])]
        if not union or "properties" in schema:
            yield {**schema, **notes}
        else:
            for alternative in union:
                yield from self.alternatives({**alternative, **notes})


def _value_facts(schema: dict[str, Any]) -> set[str]:
    literals = _literals(schema)
    if literals:
        facts = {f"'{value}'" for value in literals}
    else:
        types = schema.get("type", "object" if "properties" in schema else "anything")
        facts = {types} if isinstance(types, str) else set(types)
    facts |= {f"{name} {schema[name]}" for name in _BOUNDS if name in schema}
    if "maxLength" in schema.get("propertyNames", {}):
        facts.add(f"propertyNames.maxLength {schema['propertyNames']['maxLength']}")
    if "default" in schema and [schema["default"]] != literals:
        facts.add(f"default {schema['default']}")
    return facts


def _literals(schema: dict[str, Any]) -> list[Any]:
    return [schema["const"]] if "const" in schema else schema.get("enum", [])
