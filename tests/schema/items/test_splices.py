import json

from hypothesis import given, settings
from hypothesis import strategies as st

from conversations.errors import APIError
from conversations.schema.include import INCLUDABLE, apply_include
from conversations.schema.items import validate_items
from conversations.schema.json_limits import check_limits
from conversations.schema.validation_errors import TAG
from tests.schema.items.random_items import spliced_items, values


def validation_error(items, **options):
    try:
        validate_items(items, **options)
    except APIError as error:
        return error
    return None


@settings(max_examples=settings.default.max_examples * 3)
@given(spliced_items(), st.sampled_from(["keep", "reject"]))
def test_arbitrary_item_is_either_valid_or_refused_with_an_api_error(item, unknown_fields):
    check_limits(item)
    if error := validation_error([item], unknown_fields=unknown_fields):
        assert error.status == 400
        assert error.param is not None
        assert error.param.startswith("items[0]") or (error.param, error.code) == ("item", "invalid_item")
        assert TAG not in json.dumps(error.envelope())
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
