import json

import pytest

from conversations import ids
from conversations.errors import APIError
from conversations.schema.include import INCLUDABLE, apply_include
from conversations.schema.items import ITEM_TYPES, validate_items
from tests.schema.golden import ACCEPTED, FILES, MINTED, REFUSED, STORED


def validated(item, **options):
    [item] = validate_items([item], **options)
    return item


def as_answered(item):
    """With every include value asked for; an item without an id would be given one."""
    item = {"id": None} | apply_include(item, INCLUDABLE)
    return item | {"id": item["id"] or MINTED}


def keeps(sent, stored):
    """Whether every member of `sent` is in `stored`, apart from nulls that defaults replace."""
    if sent is None:
        return True
    if isinstance(sent, dict):
        return all(name in stored and keeps(value, stored[name]) for name, value in sent.items())
    if isinstance(sent, list):
        return len(sent) == len(stored) and all(map(keeps, sent, stored))
    return sent == stored or (isinstance(sent, str) and [sent] == [part["text"] for part in stored])


def test_every_item_type_has_a_golden_file():
    assert sorted(FILES) == sorted(ITEM_TYPES)


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_golden_file_has_accepted_and_refused_items(name):
    assert all(FILES[name][kind] for kind in ("accepted", "refused"))


@pytest.mark.parametrize("case", STORED.values(), ids=STORED)
def test_accepted_items_are_answered_as_the_golden_file_says_in_that_order(case):
    assert json.dumps(as_answered(validated(case["sent"]))) == json.dumps(case["returned"])


@pytest.mark.parametrize("case", ACCEPTED.values(), ids=ACCEPTED)
def test_nothing_that_was_sent_is_dropped(case):
    assert keeps(case["sent"], validated(case["sent"]))


@pytest.mark.parametrize("case", ACCEPTED.values(), ids=ACCEPTED)
def test_validation_leaves_what_was_sent_as_it_was(case):
    before = json.dumps(case["sent"])
    validated(case["sent"])
    assert json.dumps(case["sent"]) == before


@pytest.mark.parametrize("case", STORED.values(), ids=STORED)
def test_an_answered_item_can_be_sent_again(case):
    item = case["returned"]
    if item["id"] == MINTED:
        item = item | {"id": ids.new_id(ids.item_prefix(item["type"]))}
    assert json.dumps(validated(item)) == json.dumps(item)


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_refused_items_get_the_error_of_the_golden_file(case):
    with pytest.raises(APIError) as raised:
        validate_items([case["sent"]])
    error = raised.value
    assert (error.message, error.param, error.code) == (case["message"], case["param"], case["code"])
    assert (error.status, error.type) == (400, "invalid_request_error")


def test_every_type_that_is_stored_has_an_id_prefix():
    assert ids.ITEM_PREFIXES.keys() == ITEM_TYPES - {"compaction_trigger", "item_reference"}


def test_the_error_for_an_unknown_type_lists_all_types_sorted():
    with pytest.raises(APIError) as raised:
        validate_items([{"type": "telepathy"}])
    *names, last = (f"'{name}'" for name in sorted(ITEM_TYPES))
    assert raised.value.message == (
        f"Invalid value: 'telepathy'. Supported values are: {', '.join(names)}, and {last}."
    )
    assert (raised.value.param, raised.value.code) == ("items[0]", "invalid_value")


def test_extra_types_are_taken_as_they_are():
    item = {"type": "telepathy", "z": None, "a": [1]}
    assert json.dumps(validated(item, extra_types=["telepathy"])) == json.dumps(item)


def test_extra_types_get_their_ids_checked():
    with pytest.raises(APIError) as raised:
        validate_items([{"type": "telepathy", "id": "msg_1"}], extra_types=["telepathy"])
    assert raised.value.message == "Invalid 'items[0].id': 'msg_1'. Expected an ID that begins with 'item'."


def test_extra_types_are_listed_among_the_known_ones():
    with pytest.raises(APIError, match=r"'shell_call_output', 'telepathy', 'tool_search_call'"):
        validate_items([{"type": "levitation"}], extra_types=["telepathy"])


def test_a_known_type_among_the_extra_types_is_validated_all_the_same():
    with pytest.raises(APIError) as raised:
        validate_items([{"type": "message", "role": "user"}], extra_types=["message"])
    assert raised.value.param == "items[0].content"


def test_unknown_members_are_kept_after_the_known_ones():
    item = validated({"extra": {"b": 1, "a": 2}, "role": "user", "content": "hi", "another": None})
    assert list(item) == ["type", "status", "content", "role", "extra", "another"]


def test_unknown_members_are_refused_on_request():
    with pytest.raises(APIError) as raised:
        validate_items([{"role": "user", "content": "hi", "bogus": 1}], unknown_fields="reject")
    assert raised.value.message == "Unknown parameter: 'items[0].bogus'."


def test_free_form_objects_may_have_any_member_even_when_unknown_ones_are_refused():
    arguments = {"query": "weather", "paths": [{"deep": None}]}
    item = validated({"type": "tool_search_call", "arguments": arguments}, unknown_fields="reject")
    assert item["arguments"] == arguments


def test_an_item_of_only_an_id_is_a_reference():
    assert validated({"id": "msg_1"}) == {"id": "msg_1", "type": "item_reference"}


def test_integers_stay_integers_and_decimals_stay_decimals():
    results = [{"score": 1}, {"score": 1.0}, {"score": 0.5}]
    item = validated(
        {"type": "file_search_call", "id": "fs_1", "status": "completed", "queries": [], "results": results}
    )
    assert json.dumps(item["results"]) == '[{"score": 1}, {"score": 1.0}, {"score": 0.5}]'


def test_an_empty_list_of_items_is_valid():
    assert validate_items([]) == []


def test_defaults_are_not_shared_between_items():
    first, second = validate_items([{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}])
    first["content"][0]["annotations"].append("changed")
    assert second["content"][0]["annotations"] == []
