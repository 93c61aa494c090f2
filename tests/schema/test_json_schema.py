"""The JSON Schema of items, compared with the items that the validator accepts and returns."""

from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from conversations.errors import APIError
from conversations.schema.include import INCLUDABLE, apply_include
from conversations.schema.items import ITEM_TYPES, validate_items
from conversations.schema.json_schema import item_schemas
from tests.schema.golden import ACCEPTED, REFUSED, STORED
from tests.schema.items.random_items import spliced_items


def validators(**options: Any) -> tuple[Draft202012Validator, Draft202012Validator]:
    """Return validators of the items that are sent and of those that are returned."""
    schemas = item_schemas(ref_template="#/$defs/{model}", **options)
    sent, returned = ({**schema, "$defs": schemas.definitions} for schema in (schemas.sent, schemas.returned))
    Draft202012Validator.check_schema(sent)
    return Draft202012Validator(sent), Draft202012Validator(returned)


@pytest.fixture(scope="session")
def sent() -> Draft202012Validator:
    return validators()[0]


@pytest.fixture(scope="session")
def returned() -> Draft202012Validator:
    return validators()[1]


@pytest.fixture(scope="session")
def sent_if_known() -> Draft202012Validator:
    return validators(unknown_fields="reject")[0]


def validated_item(item, **options):
    try:
        [validated] = validate_items([item], **options)
    except APIError:
        return None
    return validated


def without_integral_floats(value):
    """Return the value with other floats instead of integral ones: JSON Schema takes those for integers."""
    match value:
        case float() if value.is_integer():
            return 0.5
        case list():
            return [without_integral_floats(member) for member in value]
        case dict():
            return {name: without_integral_floats(member) for name, member in value.items()}
    return value


@pytest.mark.parametrize("case", ACCEPTED.values(), ids=ACCEPTED)
def test_item_of_a_golden_file_matches_the_schema_of_sent_items(sent, case):
    sent.validate(case["sent"])


@pytest.mark.parametrize("case", STORED.values(), ids=STORED)
def test_returned_item_of_a_golden_file_matches_the_schema_of_returned_items(returned, case):
    returned.validate(case["returned"])


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_refused_item_of_a_golden_file_does_not_match_the_schema(sent, case):
    assert not sent.is_valid(case["sent"])


@given(spliced_items().map(without_integral_floats))
def test_schema_of_sent_items_matches_exactly_the_items_that_are_accepted(sent, sent_if_known, item):
    assert sent.is_valid(item) == (validated_item(item) is not None)
    assert sent_if_known.is_valid(item) == (validated_item(item, unknown_fields="reject") is not None)


@given(spliced_items())
def test_schema_of_returned_items_matches_every_accepted_item_whatever_is_included(returned, item):
    validated = validated_item(item)
    if validated and ITEM_TYPES[validated["type"]].id_prefix:
        stored = validated | {"id": "x_1"}
        for include in ((), INCLUDABLE):
            returned.validate(apply_include(stored, include))


def test_extra_types_are_sent_unchanged_and_unknown_types_are_returned(sent, returned):
    hologram = {"type": "hologram", "id": "holo_1", "beams": [1, None]}
    sent_or_extra, returned_or_extra = validators(extra_types=["hologram"])
    assert sent_or_extra.is_valid(hologram)
    assert not sent.is_valid(hologram)
    assert not sent_or_extra.is_valid(hologram | {"id": "msg_1"})
    assert returned_or_extra.is_valid(hologram)
    assert returned.is_valid(hologram)


def test_known_values_of_an_open_text_are_examples():
    definitions = item_schemas(ref_template="#/$defs/{model}").definitions
    button = definitions["Click"]["properties"]["button"]
    assert button == {"type": "string", "examples": ["left", "right", "wheel", "back", "forward"]}
