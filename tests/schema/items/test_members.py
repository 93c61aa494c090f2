"""Required members, nullable members and members of any type, compared with `members` of the golden files."""

from copy import deepcopy

import pytest

from conversations.errors import APIError
from conversations.schema.items import validate_items
from tests.schema.golden import ACCEPTED, MEMBERS


def with_type(path, value):
    return f"{path}({value['type']})" if isinstance(value, dict) and isinstance(value.get("type"), str) else path


def members(value, path, steps=()):
    """Yield the path in `MEMBERS` and the steps to the member, for each member that is not free-form."""
    if isinstance(value, list):
        for index, entry in enumerate(value):
            yield from members(entry, with_type(f"{path}[]", entry), (*steps, index))
    elif isinstance(value, dict):
        for name, member in value.items():
            where = f"{path}.{name}"
            if where in MEMBERS:
                yield where, (*steps, name)
                yield from members(member, with_type(where, member), (*steps, name))


def members_of(item):
    if "role" in item and item.get("type") in (None, "message"):
        return members(item, "message(assistant)" if item["role"] == "assistant" else "message(input)")
    return members(item, item.get("type") or "item_reference")


def with_member_changed(item, steps, *value):
    """Return a copy of the item without the member, or with another value for it."""
    item = container = deepcopy(item)
    for step in steps[:-1]:
        container = container[step]
    del container[steps[-1]]
    if value:
        container[steps[-1]] = value[0]
    return item


def validation_error(item):
    try:
        validate_items([item])
    except APIError as error:
        return error.code, error.param
    return None


def format_path(steps):
    return "items[0]" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def is_either_or(path, item):
    """Whether the member is the only one left of the two of which a reasoning item needs one."""
    either = [name for name in ("id", "encrypted_content") if item.get(name) is not None]
    return item.get("type") == "reasoning" and [path] == [f"reasoning.{name}" for name in either]


each_accepted_item = pytest.mark.parametrize("item", [case["sent"] for case in ACCEPTED.values()], ids=ACCEPTED)


def test_every_member_occurs_in_an_accepted_item():
    assert {path for case in ACCEPTED.values() for path, _ in members_of(case["sent"])} == MEMBERS.keys()


@each_accepted_item
def test_only_required_members_are_reported_as_missing(item):
    for path, steps in members_of(item):
        if path == "item_reference.id" or steps == ("role",):
            continue  # without these the item is of another type
        if is_either_or(path, item):
            assert validation_error(with_member_changed(item, steps)) == ("invalid_item", "item")
            continue
        expected = ("missing_required_parameter", format_path(steps)) if "required" in MEMBERS[path] else None
        assert validation_error(with_member_changed(item, steps)) == expected, path


@each_accepted_item
def test_null_is_kept_where_it_is_allowed_dropped_from_other_optional_members_and_refused_elsewhere(item):
    for path, steps in members_of(item):
        rules, with_null = MEMBERS[path].split(), with_member_changed(item, steps, None)
        if is_either_or(path, item):
            assert validation_error(with_null) == ("invalid_item", "item")
        elif "nullable" in rules or "anything" in rules:
            assert validation_error(with_null) is None, path
        elif "optional" in rules:
            assert validate_items([with_null]) == validate_items([with_member_changed(item, steps)]), path
        else:
            assert validation_error(with_null) is not None, path


@each_accepted_item
def test_members_of_the_wrong_type_are_refused(item):
    for path, steps in members_of(item):
        if "anything" in MEMBERS[path]:
            continue
        wrong = {} if "array" in MEMBERS[path] else [[]]
        code, param = validation_error(with_member_changed(item, steps, wrong)) or (None, None)
        assert code in ("invalid_type", "invalid_value") or (path, code) == (
            "message(input).phase",
            "unknown_parameter",
        )
        assert param is not None
        assert param.startswith(format_path(steps[:-1])), path
