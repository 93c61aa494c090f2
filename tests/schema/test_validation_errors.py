import pytest

from conversations.errors import APIError
from conversations.schema.items import validate_items


def validation_error(items, **options):
    with pytest.raises(APIError) as raised:
        validate_items(items, **options)
    error = raised.value
    assert (error.status, error.type) == (400, "invalid_request_error")
    return error.message, error.param, error.code


def user(*parts, **members):
    return {"role": "user", "content": list(parts) or "hi", **members}


def call(**members):
    return {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}", **members}


def output(**members):
    return {"type": "function_call_output", "output": "", **members}


def tool(kind, **members):
    return {"type": "additional_tools", "role": "developer", "tools": [{"type": kind, **members}]}


WRONG_TYPES = [
    ({}, "items", "an array of objects", "an object"),
    (None, "items", "an array of objects", "null"),
    ("hi", "items", "an array of objects", "a string"),
    ([["hi"]], "items[0]", "an object", "an array"),
    ([user(), None], "items[1]", "an object", "null"),
    ([{"type": 5}], "items[0].type", "a string", "an integer"),
    ([{"type": ["message"]}], "items[0].type", "a string", "an array"),
    ([user(id=7)], "items[0].id", "a string", "an integer"),
    ([user(status=False)], "items[0].status", "one of 'in_progress', 'completed', or 'incomplete'", "a boolean"),
    ([tool("mcp", server_label="m", defer_loading=0)], "items[0].tools[0].defer_loading", "a boolean", "an integer"),
    (
        [tool("file_search", vector_store_ids=["a"], max_num_results=2.5)],
        "items[0].tools[0].max_num_results",
        "an integer",
        "a decimal number",
    ),
    (
        [tool("image_generation", partial_images=True)],
        "items[0].tools[0].partial_images",
        "an integer",
        "a boolean",
    ),
    (
        [tool("file_search", vector_store_ids=["a"], ranking_options={"score_threshold": "1"})],
        "items[0].tools[0].ranking_options.score_threshold",
        "a decimal",
        "a string",
    ),
    (
        [tool("namespace", name="n", description="d", tools={})],
        "items[0].tools[0].tools",
        "an array of objects",
        "an object",
    ),
    (
        [tool("web_search_preview", search_content_types="text")],
        "items[0].tools[0].search_content_types",
        "an array of strings",
        "a string",
    ),
    (
        [tool("file_search", vector_store_ids=["a"], filters={"type": "or", "filters": None})],
        "items[0].tools[0].filters.filters",
        "an array",
        "null",
    ),
]


@pytest.mark.parametrize(("items", "path", "expected", "got"), WRONG_TYPES)
def test_value_of_the_wrong_type_is_refused(items, path, expected, got):
    message = f"Invalid type for '{path}': expected {expected}, but got {got} instead."
    assert validation_error(items) == (message, path, "invalid_type")


def test_string_in_place_of_an_array_of_integers_is_refused():
    log_probability = {"token": "a", "logprob": -1, "bytes": "YQ==", "top_logprobs": []}
    part = {"type": "output_text", "text": "a", "logprobs": [log_probability]}
    path = "items[0].content[0].logprobs[0].bytes"
    assert validation_error([{"role": "assistant", "content": [part]}]) == (
        f"Invalid type for '{path}': expected an array of integers, but got a string instead.",
        path,
        "invalid_type",
    )


def test_missing_member_is_refused():
    path = "items[1].call_id"
    assert validation_error([user(), {"type": "function_call", "name": "f", "arguments": ""}]) == (
        f"Missing required parameter: '{path}'.",
        path,
        "missing_required_parameter",
    )


def test_missing_nested_member_is_refused_with_its_path():
    part = {"type": "output_text", "text": "a", "annotations": [{"type": "file_path", "file_id": "file-a"}]}
    path = "items[0].content[0].annotations[0].index"
    assert validation_error([{"role": "assistant", "content": [part]}])[:2] == (
        f"Missing required parameter: '{path}'.",
        path,
    )


@pytest.mark.parametrize(
    ("items", "path", "hint"),
    [
        ([user(bogus=1)], "items[0].bogus", ""),
        ([user(statuses="completed")], "items[0].statuses", " Did you mean 'status'?"),
        ([user(status="completed", statuses=1)], "items[0].statuses", ""),
        ([user({"type": "input_text", "text": "a", "txt": "b"})], "items[0].content[0].txt", ""),
        (
            [user({"type": "input_file", "file_ul": "https://example.org"})],
            "items[0].content[0].file_ul",
            " Did you mean 'file_url' or 'file_id'?",
        ),
        (
            [tool("mcp", server_label="m", require_approval={"nevr": {}})],
            "items[0].tools[0].require_approval.nevr",
            " Did you mean 'never'?",
        ),
        ([call(caller={"type": "direct", "caller": "x"})], "items[0].caller.caller", ""),
        ([call(asinc=True)], "items[0].asinc", " Did you mean 'async'?"),
    ],
)
def test_unknown_member_is_refused_with_a_suggestion(items, path, hint):
    expected = (f"Unknown parameter: '{path}'.{hint}", path, "unknown_parameter")
    assert validation_error(items, unknown_fields="reject") == expected


def test_phase_of_a_user_message_is_refused_even_if_unknown_members_are_kept():
    expected = ("Unknown parameter: 'items[0].phase'.", "items[0].phase", "unknown_parameter")
    assert validation_error([user(phase="final_answer")], unknown_fields="keep") == expected
    assert validation_error([user(phase="final_answer")], unknown_fields="reject") == expected


def test_unsupported_value_error_lists_two_supported_values():
    assert validation_error([{"type": "tool_search_call", "arguments": {}, "execution": "x"}]) == (
        "Invalid value: 'x'. Supported values are: 'server' and 'client'.",
        "items[0].execution",
        "invalid_value",
    )


def test_unsupported_value_error_lists_three_supported_values():
    assert validation_error([user(status="x")]) == (
        "Invalid value: 'x'. Supported values are: 'in_progress', 'completed', and 'incomplete'.",
        "items[0].status",
        "invalid_value",
    )


def test_open_union_names_its_known_types_if_the_type_is_missing_or_no_text():
    for definition, got in (({}, ""), ({"type": None}, ""), ({"type": 7}, "7")):
        item = {"type": "apply_patch_call", "status": "completed", "call_id": "call_1", "operation": definition}
        assert validation_error([item]) == (
            f"Invalid value: '{got}'. Supported values are: 'create_file', 'delete_file', and 'update_file'.",
            "items[0].operation",
            "invalid_value",
        )


def test_missing_role_is_reported_as_an_empty_value():
    assert validation_error([{"type": "message", "content": "hi"}]) == (
        "Invalid value: ''. Supported values are: 'assistant', 'system', 'developer', and 'user'.",
        "items[0]",
        "invalid_value",
    )


@pytest.mark.parametrize(("value", "shown"), [(True, "true"), (5, "5"), ({"a": [None]}, '{"a": [null]}'), ("'", "'")])
def test_invalid_discriminator_is_quoted_as_json(value, shown):
    message, param, _ = validation_error([{"role": value, "content": "hi"}])
    assert message.startswith(f"Invalid value: '{shown}'. Supported values are: 'assistant'")
    assert param == "items[0]"


def test_integer_below_the_minimum_is_refused():
    path = "items[0].tools[0].output_compression"
    assert validation_error([tool("image_generation", output_compression=-1)]) == (
        f"Invalid '{path}': integer below minimum value. Expected a value >= 0, but got -1 instead.",
        path,
        "integer_below_min_value",
    )


def test_integer_above_the_maximum_is_refused():
    path = "items[0].tools[0].output_compression"
    assert validation_error([tool("image_generation", output_compression=101)]) == (
        f"Invalid '{path}': integer above maximum value. Expected a value <= 100, but got 101 instead.",
        path,
        "integer_above_max_value",
    )


def test_too_long_string_is_refused():
    assert validation_error([call(call_id="ü" * 65)]) == (
        "Invalid 'items[0].call_id': string too long. Expected a string with maximum length 64, "
        "but got a string with length 65 instead.",
        "items[0].call_id",
        "string_above_max_length",
    )


def test_empty_string_is_refused():
    assert validation_error([output(name="")]) == (
        "Invalid 'items[0].name': empty string. Expected a string with minimum length 1, "
        "but got an empty string instead.",
        "items[0].name",
        "empty_string",
    )


def test_string_that_does_not_match_its_pattern_is_refused():
    assert validation_error([output(namespace="a.b")]) == (
        "Invalid 'items[0].namespace': string does not match pattern. "
        "Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.",
        "items[0].namespace",
        "invalid_value",
    )


def test_pattern_does_not_match_before_a_trailing_newline():
    assert validation_error([output(namespace="crm\n")])[1:] == ("items[0].namespace", "invalid_value")


def test_too_long_array_is_refused():
    assert validation_error([user()] * 21) == (
        "Invalid 'items': array too long. Expected an array with maximum length 20, "
        "but got an array with length 21 instead.",
        "items",
        "array_above_max_length",
    )


def test_empty_array_is_refused():
    path = "items[0].tools[0].allowed_callers"
    assert validation_error([tool("apply_patch", allowed_callers=[])]) == (
        f"Invalid '{path}': empty array. Expected an array with minimum length 1, but got an empty array instead.",
        path,
        "empty_array",
    )


def test_object_with_too_many_properties_is_refused():
    results = [{"attributes": {str(n): n for n in range(17)}}]
    item = {"type": "file_search_call", "id": "fs_1", "status": "completed", "queries": [], "results": results}
    path = "items[0].results[0].attributes"
    assert validation_error([item]) == (
        f"Invalid '{path}': too many properties. Expected an object with at most 16 properties, "
        "but got an object with 17 properties instead.",
        path,
        "object_above_max_properties",
    )


def test_id_with_the_wrong_prefix_is_refused():
    assert validation_error([user(), output(id="msg_1")]) == (
        "Invalid 'items[1].id': 'msg_1'. Expected an ID that begins with 'fc'.",
        "items[1].id",
        "invalid_value",
    )


@pytest.mark.parametrize("item_id", ["msg_a b", "msg_é", "msg_a\n", "msg_a.b"])
def test_id_with_invalid_characters_is_refused(item_id):
    assert validation_error([user(id=item_id)]) == (
        f"Invalid 'items[0].id': '{item_id}'. Expected an ID that contains letters, numbers, underscores, or dashes, "
        "but this value contained additional characters.",
        "items[0].id",
        "invalid_value",
    )


def test_errors_are_reported_in_the_order_missing_unknown_invalid():
    wrong, unknown, missing = user(status="x"), user(bogus=1), {"role": "user"}
    assert validation_error([wrong, unknown, missing], unknown_fields="reject")[1] == "items[2].content"
    assert validation_error([wrong, unknown], unknown_fields="reject")[1] == "items[1].bogus"
    assert validation_error([wrong, user(status="y")], unknown_fields="reject")[1] == "items[0].status"


def test_invalid_members_are_reported_before_invalid_ids():
    assert validation_error([user(id="fc_1"), user(status="x")])[1] == "items[1].status"
