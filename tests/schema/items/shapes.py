"""The shape of a type: what its JSON may be at each path, so that types of different libraries can be compared.

    {"message.role": {"required", "'user'"}, "message.content[](input_text).text": {"required", "string"}}

A path names the type of each object that has one, as the golden files do. The facts about a path are the JSON types of
its value, the literals in quotes, and whether it is required. `Shape.of` reads TypedDicts and pydantic's models.
"""

import types
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, NotRequired, Required, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from typing_extensions import is_typeddict

from conversations.schema.items.types import DefaultTo

JSON_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
ANYTHING = (Any, object)
MAX_DEPTH = 12  # for types that contain themselves

Facts = dict[str, set[str]]


def shape(definition: Any, path: str) -> Facts:
    """Return the facts about every path below `path`."""
    facts: Facts = {}
    _collect(definition, path, facts)
    free = [path for path, path_facts in facts.items() if "anything" in path_facts]
    for path in free:
        facts[path] &= {"anything", "required", "optional"}
    facts = {path: path_facts for path, path_facts in facts.items() if not is_below(path, free)}
    for path_facts in facts.values():
        if "string" in path_facts:  # The literals beside it are only examples.
            path_facts -= {fact for fact in path_facts if fact.startswith("'")}
        if "number" in path_facts:
            path_facts.discard("integer")
    return facts


def is_below(path: str, ancestors: Iterable[str]) -> bool:
    return any(path.startswith(ancestor) and path[len(ancestor) :][:1] in (*".[({",) for ancestor in ancestors)


def _collect(definition: Any, path: str, facts: Facts) -> None:
    here = facts.setdefault(path, set())
    origin, arguments = get_origin(definition), get_args(definition)
    if path.count(".") > MAX_DEPTH:
        return
    if origin is Annotated:
        if any(isinstance(note, DefaultTo) for note in arguments[1:]):
            here.add("null")
        _collect(arguments[0], path, facts)
    elif origin in (Required, NotRequired):
        _collect(arguments[0], path, facts)
    elif origin in (Union, types.UnionType):
        _collect_union(arguments, path, facts)
    elif origin is Literal:
        here |= {f"'{value}'" for value in arguments}
    elif definition in JSON_TYPES:
        here.add(JSON_TYPES[definition])
    elif definition in ANYTHING:
        here.add("anything")
    elif _is_object(definition):
        _collect_union([definition], path, facts)
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        here.add("object")
        if arguments[1] not in ANYTHING:
            _collect(arguments[1], f"{path}{{}}", facts)
    elif (isinstance(origin, type) and issubclass(origin, Iterable)) or getattr(
        origin, "__name__", ""
    ) == "SequenceNotStr":
        here.add("array")
        _collect(arguments[0], f"{path}[]", facts)
    else:
        raise TypeError(f"{path}: {definition}")


def _collect_union(alternatives: Iterable[Any], path: str, facts: Facts) -> None:
    """Collect objects of one `type` together: a member is required if each of them requires it."""
    by_type: dict[str, list[Any]] = {}
    for alternative in _flatten(alternatives):
        if _is_object(alternative):
            for name in _type_names(alternative):
                by_type.setdefault(name, []).append(alternative)
        else:
            _collect(alternative, path, facts)
    for name, objects in by_type.items():
        facts[path].add("object")
        _collect_members(objects, f"{path}({name})" if name else path, facts)


def _flatten(alternatives: Iterable[Any]) -> Iterable[Any]:
    for alternative in alternatives:
        bare = alternative
        while get_origin(bare) is Annotated:
            bare = get_args(bare)[0]
        if get_origin(bare) in (Union, types.UnionType):
            yield from _flatten(get_args(bare))
        else:
            yield bare


def _collect_members(objects: list[Any], path: str, facts: Facts) -> None:
    members = [_members(definition) for definition in objects]
    for name in {name for of_object in members for name in of_object} - {"type"}:
        member_path = f"{path}.{name}"
        present = [of_object[name] for of_object in members if name in of_object]
        is_required = len(present) == len(members) and all(required for required, _ in present)
        facts.setdefault(member_path, set()).add("required" if is_required else "optional")
        for _, annotation in present:
            _collect(annotation, member_path, facts)


def _is_object(definition: Any) -> bool:
    return is_typeddict(definition) or (isinstance(definition, type) and issubclass(definition, BaseModel))


def _members(definition: Any) -> dict[str, tuple[bool, Any]]:
    """Return the members by name: whether each is required, and its annotation."""
    if is_typeddict(definition):
        hints = get_type_hints(definition, include_extras=True)
        return {name: (_is_required(name, hint, definition), hint) for name, hint in hints.items()}
    fields = definition.model_fields
    return {
        field.alias or name: (field.is_required(), field.annotation if field.is_required() else _without_none(field))
        for name, field in fields.items()
    }


def _is_required(name: str, hint: Any, definition: Any) -> bool:
    # `__required_keys__` is wrong for modules with deferred annotations, such as those of the client.
    if get_origin(hint) in (Required, NotRequired):
        return get_origin(hint) is Required
    return name in definition.__required_keys__


def _without_none(field: Any) -> Any:
    """Return the annotation of an optional field. The client's models also set it to None if it is missing."""
    return Union[tuple(member for member in get_args(field.annotation) if member is not type(None))]  # noqa: UP007


def _type_names(definition: Any) -> tuple[str, ...]:
    _, annotation = _members(definition).get("type", (False, None))
    while get_origin(annotation) in (Annotated, Required, NotRequired, Union):
        annotation = get_args(annotation)[0]
    return get_args(annotation) if get_origin(annotation) is Literal else ("",)
