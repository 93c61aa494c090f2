from copy import deepcopy

import pytest

from conversations.errors import APIError, elide, join_quoted
from conversations.schema.include import INCLUDABLE, apply_include, validate_include
from conversations.schema.items import ITEM_TYPES, validate_items
from tests.schema.golden import STORED

FILE_SEARCH = {"type": "file_search_call", "queries": ["a"], "results": [{"score": 1}]}
CODE = {"type": "code_interpreter_call", "code": "1", "container_id": "c", "outputs": [{"type": "logs", "logs": "1"}]}
REASONING = {"type": "reasoning", "encrypted_content": "gAAAA", "summary": []}
SCREENSHOT = {"type": "computer_screenshot", "file_id": "file-a", "image_url": "https://example.org/a.png"}
COMPUTER = {"type": "computer_call_output", "call_id": "call_1", "output": SCREENSHOT}
SEARCH = {"type": "search", "query": "a", "sources": [{"type": "url", "url": "https://example.org"}]}
WEB_SEARCH = {"type": "web_search_call", "action": SEARCH, "results": [{"title": "a"}]}
IMAGE = {"type": "input_image", "detail": "auto", "file_id": None, "image_url": "https://example.org/a.png"}
TEXT = {"type": "output_text", "annotations": [], "logprobs": [{"token": "a"}], "text": "a"}


def message(part):
    return {"type": "message", "content": [part, {"type": "input_text", "text": "b"}]}


# For each value: an item that has it, and what of the item is shown without it.
HIDDEN = {
    "file_search_call.results": (FILE_SEARCH, FILE_SEARCH | {"results": None}),
    "web_search_call.results": (WEB_SEARCH, {"type": "web_search_call", "action": SEARCH}),
    "web_search_call.action.sources": (WEB_SEARCH, WEB_SEARCH | {"action": {"type": "search", "query": "a"}}),
    "message.input_image.image_url": (message(IMAGE), message(IMAGE | {"image_url": None})),
    "computer_call_output.output.image_url": (
        COMPUTER,
        COMPUTER | {"output": {"type": "computer_screenshot", "file_id": "file-a"}},
    ),
    "code_interpreter_call.outputs": (CODE, CODE | {"outputs": None}),
    "reasoning.encrypted_content": (REASONING, {"type": "reasoning", "summary": []}),
    "message.output_text.logprobs": (message(TEXT), message(TEXT | {"logprobs": []})),
}


def test_every_include_value_has_an_example():
    assert set(HIDDEN) == set(INCLUDABLE)


@pytest.mark.parametrize("value", INCLUDABLE)
def test_member_that_is_not_included_is_hidden(value):
    item, hidden = HIDDEN[value]
    others = set(INCLUDABLE) - {value}
    assert apply_include(item, others) == hidden
    assert list(apply_include(item, others)) == list(hidden)


@pytest.mark.parametrize("value", INCLUDABLE)
def test_included_member_is_revealed(value):
    item, _ = HIDDEN[value]
    assert apply_include(item, INCLUDABLE) == item


@pytest.mark.parametrize("value", INCLUDABLE)
def test_include_value_reveals_no_other_member(value):
    for other, (item, _) in HIDDEN.items():
        if other.partition(".")[0] != value.partition(".")[0]:
            assert apply_include(item, {value}) == apply_include(item, ())


@pytest.mark.parametrize("case", STORED.values(), ids=STORED)
def test_hiding_does_not_mutate_golden_items(case):
    [item] = validate_items([case["sent"]])
    before = deepcopy(item)
    for include in ((), *((value,) for value in INCLUDABLE), INCLUDABLE):
        apply_include(item, include)
    assert item == before


@pytest.mark.parametrize("case", STORED.values(), ids=STORED)
def test_hiding_changes_includable_members_only(case):
    [item] = validate_items([case["sent"]])
    hideable = {each.parent or ("content" if each.part_type else each.name) for each in ITEM_TYPES[item["type"]].hidden}
    hidden = apply_include(item, ())
    assert {k: v for k, v in hidden.items() if k not in hideable} == {
        k: v for k, v in item.items() if k not in hideable
    }


HIDING_TYPES = sorted({value.partition(".")[0] for value in INCLUDABLE})
UNUSUAL = [
    None,
    "text",
    7,
    {},
    [],
    [None],
    ["text"],
    [[]],
    [{}],
    [{"type": None}],
    [{"type": []}],
    [{"type": "unknown"}],
]


@pytest.mark.parametrize("value", UNUSUAL)
@pytest.mark.parametrize("member", ["action", "content", "output"])
@pytest.mark.parametrize("item_type", HIDING_TYPES)
def test_imported_item_with_an_unusual_structure_is_shown(item_type, member, value):
    item = {"id": "x_1", "type": item_type, member: value}
    assert apply_include(item, INCLUDABLE) == item
    assert apply_include(item, ())[member] == value


@pytest.mark.parametrize("item_type", HIDING_TYPES)
def test_imported_item_without_any_members_is_shown(item_type):
    item = {"id": "x_1", "type": item_type}
    assert {name for name, value in apply_include(item, ()).items() if value is not None} == {"id", "type"}


def test_file_search_without_results_has_null_results():
    item = {"type": "file_search_call", "queries": []}
    assert apply_include(item, ()) == item | {"results": None}


def test_encrypted_content_of_a_compaction_is_always_shown():
    item = {"type": "compaction", "encrypted_content": "gAAAA"}
    assert apply_include(item, ()) == item


@pytest.mark.parametrize("include", [[], list(INCLUDABLE), [INCLUDABLE[0]] * 2])
def test_known_include_values_are_valid(include):
    assert validate_include(include) == frozenset(include)


@pytest.mark.parametrize(("include", "got"), [("reasoning.encrypted_content", "a string"), (None, "null")])
def test_include_must_be_an_array(include, got):
    with pytest.raises(APIError) as raised:
        validate_include(include)
    names = join_quoted(map(elide, INCLUDABLE), "or")
    assert raised.value.message == (
        f"Invalid type for 'include': expected an array of one of {names}, but got {got} instead."
    )
    assert (raised.value.param, raised.value.code) == ("include", "invalid_type")


@pytest.mark.parametrize("value", ["usage", "", 5, None, []])
def test_unknown_include_value_is_refused_with_the_supported_values(value):
    with pytest.raises(APIError) as raised:
        validate_include(["reasoning.encrypted_content", value])
    assert raised.value.message == (
        f"Invalid value: '{value}'. Supported values are: {join_quoted(INCLUDABLE, 'and')}."
    )
    assert (raised.value.param, raised.value.code) == ("include[1]", "invalid_value")
