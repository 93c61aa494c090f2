"""Valid items with arbitrary JSON spliced into them."""

import json
from copy import deepcopy

from hypothesis import given, settings
from hypothesis import strategies as st

from conversations.errors import APIError
from conversations.schema.include import INCLUDABLE, apply_include
from conversations.schema.items import validate_items
from conversations.schema.json_limits import check_storable
from tests.schema.golden import ACCEPTED


def places(value):
    """Each (container, key) within a JSON value."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in entries:
        yield value, key
        yield from places(member)


SENT = [case["sent"] for case in ACCEPTED.values()]
FRAGMENTS = [container[key] for item in SENT for container, key in places(item)]
NAMES = sorted({key for item in SENT for _, key in places(item) if isinstance(key, str)})

text = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
names = st.sampled_from(NAMES) | text
values = st.recursive(
    st.none() | st.booleans() | numbers | text | st.sampled_from(FRAGMENTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def spliced_items(draw):
    item = deepcopy(draw(st.sampled_from(SENT)))
    for _ in range(draw(st.integers(1, 3))):
        everywhere = list(places(item))
        if not everywhere:
            break
        container, key = draw(st.sampled_from(everywhere))
        match draw(st.sampled_from(["replace", "remove", "add"])):
            case "replace":
                container[key] = deepcopy(draw(values))
            case "remove":
                del container[key]
            case "add" if isinstance(container, dict):
                container[draw(names)] = deepcopy(draw(values))
            case "add":
                container.insert(key, deepcopy(draw(values)))
    return item


def validation_error(items, **options):
    try:
        validate_items(items, **options)
    except APIError as error:
        return error
    return None


@settings(max_examples=settings.default.max_examples * 3)
@given(spliced_items(), st.sampled_from(["keep", "reject"]))
def test_arbitrary_item_is_either_valid_or_refused_with_an_api_error(item, unknown_fields):
    check_storable(item)
    if error := validation_error([item], unknown_fields=unknown_fields):
        assert error.status == 400
        assert error.param is not None
        assert error.param.startswith("items[0]") or (error.param, error.code) == ("item", "invalid_item")
        assert "\0" not in json.dumps(error.envelope(), ensure_ascii=False)
        return
    items = validate_items([item], unknown_fields=unknown_fields)
    assert json.dumps(validate_items(items, unknown_fields=unknown_fields)) == json.dumps(items)
    for include in ((), *((value,) for value in INCLUDABLE), INCLUDABLE):
        apply_include(items[0], include)


@given(values)
def test_value_that_is_not_a_list_of_items_is_refused_with_an_api_error(value):
    for items in (value, [value]):
        error = validation_error(items)
        assert error is None or error.status == 400
