import json

import pytest

from conversations import ids
from conversations.errors import APIError
from conversations.schema.include import INCLUDABLE, apply_include
from conversations.schema.items import ITEM_TYPES, item_id_prefix, validate_items
from tests.schema.golden import ACCEPTED, FILES, MINTED, REFUSED, STORED


def validate_item(item, **options):
    [item] = validate_items([item], **options)
    return item


def as_response(item):
    """With every include value asked for; an item without an id would be given one."""
    item = {"id": None} | apply_include(item, INCLUDABLE)
    return item | {"id": item["id"] or MINTED}


def contains_every_member(sent, stored):
    """Whether every member of `sent` is in `stored`, apart from nulls that are dropped or that defaults replace."""
    if isinstance(sent, dict):
        members = [(name, value) for name, value in sent.items() if value is not None]
        return all(name in stored and contains_every_member(value, stored[name]) for name, value in members)
    if isinstance(sent, list):
        return len(sent) == len(stored) and all(map(contains_every_member, sent, stored))
    return sent == stored or (isinstance(sent, str) and [sent] == [part["text"] for part in stored])


def test_every_item_type_has_a_golden_file():
    assert sorted(FILES) == sorted(ITEM_TYPES)


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_golden_file_has_members_and_accepted_and_refused_items(name):
    assert all(FILES[name][section] for section in ("members", "accepted", "refused"))


@pytest.mark.parametrize("case", STORED.values(), ids=STORED)
def test_accepted_items_are_returned_as_in_the_golden_file(case):
    assert json.dumps(as_response(validate_item(case["sent"]))) == json.dumps(case["returned"])


@pytest.mark.parametrize("case", ACCEPTED.values(), ids=ACCEPTED)
def test_validation_drops_no_value(case):
    assert contains_every_member(case["sent"], validate_item(case["sent"]))


@pytest.mark.parametrize("case", ACCEPTED.values(), ids=ACCEPTED)
def test_validation_does_not_mutate_its_input(case):
    before = json.dumps(case["sent"])
    validate_item(case["sent"])
    assert json.dumps(case["sent"]) == before


@pytest.mark.parametrize("case", STORED.values(), ids=STORED)
def test_returned_item_can_be_sent_again(case):
    item = case["returned"]
    if item["id"] == MINTED:
        item = item | {"id": ids.new_id(item_id_prefix(item["type"]))}
    assert json.dumps(validate_item(item)) == json.dumps(item)


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_refused_items_raise_the_error_of_the_golden_file(case):
    with pytest.raises(APIError) as raised:
        validate_items([case["sent"]])
    error = raised.value
    assert (error.message, error.param, error.code) == (case["message"], case["param"], case["code"])
    assert (error.status, error.type) == (400, "invalid_request_error")


def test_the_error_for_an_unknown_type_lists_all_types_sorted():
    with pytest.raises(APIError) as raised:
        validate_items([{"type": "telepathy"}])
    *names, last = (f"'{name}'" for name in sorted(ITEM_TYPES))
    assert raised.value.message == (
        f"Invalid value: 'telepathy'. Supported values are: {', '.join(names)}, and {last}."
    )
    assert (raised.value.param, raised.value.code) == ("items[0]", "invalid_value")


def test_extra_types_are_stored_unchanged():
    item = {"type": "telepathy", "z": None, "a": [1]}
    assert json.dumps(validate_item(item, extra_types=["telepathy"])) == json.dumps(item)


@pytest.mark.parametrize("item_id", ["msg_1", "conv_1", "fc_1", "item 1"])
def test_ids_of_extra_types_are_validated(item_id):
    with pytest.raises(APIError) as raised:
        validate_items([{"type": "telepathy", "id": item_id}], extra_types=["telepathy"])
    assert (raised.value.param, raised.value.code) == ("items[0].id", "invalid_value")


def test_extra_type_may_have_an_id_with_any_other_prefix():
    item = {"type": "telepathy", "id": "tp_1"}
    assert validate_item(item, extra_types=["telepathy"]) == item


def test_error_for_an_unknown_type_lists_extra_types():
    with pytest.raises(APIError, match=r"'shell_call_output', 'telepathy', 'tool_search_call'"):
        validate_items([{"type": "levitation"}], extra_types=["telepathy"])


def test_known_type_is_validated_even_if_listed_as_an_extra_type():
    with pytest.raises(APIError) as raised:
        validate_items([{"type": "message", "role": "user"}], extra_types=["message"])
    assert raised.value.param == "items[0].content"


def test_unknown_members_are_stored_after_known_members():
    item = validate_item({"extra": {"b": 1, "a": 2}, "role": "user", "content": "hi", "another": None})
    assert list(item) == ["type", "status", "content", "role", "extra", "another"]


def test_unknown_members_are_refused_if_rejection_is_enabled():
    with pytest.raises(APIError) as raised:
        validate_items([{"role": "user", "content": "hi", "bogus": 1}], unknown_fields="reject")
    assert raised.value.message == "Unknown parameter: 'items[0].bogus'."


def test_free_form_objects_accept_any_member_even_if_unknown_members_are_refused():
    arguments = {"query": "weather", "paths": [{"deep": None}]}
    item = validate_item({"type": "tool_search_call", "arguments": arguments}, unknown_fields="reject")
    assert item["arguments"] == arguments


def test_item_with_only_an_id_is_an_item_reference():
    assert validate_item({"id": "msg_1"}) == {"id": "msg_1", "type": "item_reference"}


def test_number_types_are_preserved():
    results = [{"score": 1}, {"score": 1.0}, {"score": 0.5}]
    item = validate_item(
        {"type": "file_search_call", "id": "fs_1", "status": "completed", "queries": [], "results": results}
    )
    assert json.dumps(item["results"]) == '[{"score": 1}, {"score": 1.0}, {"score": 0.5}]'


def test_an_empty_list_of_items_is_valid():
    assert validate_items([]) == []


def test_defaults_are_not_shared_between_items():
    first, second = validate_items([{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}])
    first["content"][0]["annotations"].append("changed")
    assert second["content"][0]["annotations"] == []
