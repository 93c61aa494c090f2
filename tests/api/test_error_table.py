"""OpenAI's known errors, case by case: exact status, message, param and code."""

import pytest

from conversations.schema.items import ITEM_TYPES

HELLO = {"type": "message", "role": "user", "content": "Hello!"}
ROLES = "'assistant', 'system', 'developer', and 'user'"
INCLUDABLE = (
    "'file_search_call.results', 'web_search_call.results', 'web_search_call.action.sources', "
    "'message.input_image.image_url', 'computer_call_output.output.image_url', 'code_interpreter_call.outputs', "
    "'reasoning.encrypted_content', and 'message.output_text.logprobs'"
)

BODIES = {
    "a message without a role": (
        {"items": [{"type": "message", "content": "x"}]},
        f"Invalid value: ''. Supported values are: {ROLES}.",
        "items[0]",
        "invalid_value",
    ),
    "an unknown role": (
        {"items": [HELLO, {"role": "tool", "content": "x"}]},
        f"Invalid value: 'tool'. Supported values are: {ROLES}.",
        "items[1]",
        "invalid_value",
    ),
    "an id with another type's prefix": (
        {"items": [{**HELLO, "id": "fc_1"}]},
        "Invalid 'items[0].id': 'fc_1'. Expected an ID that begins with 'msg'.",
        "items[0].id",
        "invalid_value",
    ),
    "a call's id with another type's prefix": (
        {"items": [{"type": "function_call", "id": "msg_1", "call_id": "c", "name": "f", "arguments": "{}"}]},
        "Invalid 'items[0].id': 'msg_1'. Expected an ID that begins with 'fc'.",
        "items[0].id",
        "invalid_value",
    ),
    "an id with other characters": (
        {"items": [{**HELLO, "id": "msg_a.b"}]},
        "Invalid 'items[0].id': 'msg_a.b'. Expected an ID that contains letters, numbers, underscores, or dashes, "
        "but this value contained additional characters.",
        "items[0].id",
        "invalid_value",
    ),
    "no id where one is required": (
        {"items": [HELLO, {"type": "item_reference"}]},
        "Missing required parameter: 'items[1].id'.",
        "items[1].id",
        "missing_required_parameter",
    ),
    "more than 20 items": (
        {"items": [HELLO] * 21},
        "Invalid 'items': array too long. Expected an array with maximum length 20, "
        "but got an array with length 21 instead.",
        "items",
        "array_above_max_length",
    ),
    "items that are no array": (
        {"items": HELLO},
        "Invalid type for 'items': expected an array of objects, but got an object instead.",
        "items",
        "invalid_type",
    ),
    "an item that is no object": (
        {"items": ["Hello!"]},
        "Invalid type for 'items[0]': expected an object, but got a string instead.",
        "items[0]",
        "invalid_type",
    ),
    "content of another kind": (
        {"items": [{"role": "user", "content": 1.5}]},
        "Invalid type for 'items[0].content': expected one of a string or array of objects, "
        "but got a decimal number instead.",
        "items[0].content",
        "invalid_type",
    ),
    "an input part in an assistant's message": (
        {"items": [{"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}]},
        "Invalid value: 'input_text'. Supported values are: 'output_text' and 'refusal'.",
        "items[0].content[0]",
        "invalid_value",
    ),
    "a phase that is not the assistant's": (
        {"items": [{**HELLO, "phase": "commentary"}]},
        "Unknown parameter: 'items[0].phase'.",
        "items[0].phase",
        "unknown_parameter",
    ),
    "an unknown status": (
        {"items": [{**HELLO, "status": "done"}]},
        "Invalid value: 'done'. Supported values are: 'in_progress', 'completed', and 'incomplete'.",
        "items[0].status",
        "invalid_value",
    ),
    "additional tools of another role": (
        {"items": [{"type": "additional_tools", "role": "user", "tools": []}]},
        "Invalid value: 'user'. Supported values are: 'developer'.",
        "items[0].role",
        "invalid_value",
    ),
    "a call_id that is too long": (
        {"items": [{"type": "function_call", "call_id": "c" * 65, "name": "f", "arguments": "{}"}]},
        "Invalid 'items[0].call_id': string too long. Expected a string with maximum length 64, "
        "but got a string with length 65 instead.",
        "items[0].call_id",
        "string_above_max_length",
    ),
    "an empty call_id": (
        {"items": [{"type": "function_call_output", "call_id": "", "output": "x"}]},
        "Invalid 'items[0].call_id': empty string. Expected a string with minimum length 1, "
        "but got an empty string instead.",
        "items[0].call_id",
        "empty_string",
    ),
    "a boolean for an integer": (
        {"items": [{"type": "shell_call_output", "call_id": "c", "output": [], "max_output_length": True}]},
        "Invalid type for 'items[0].max_output_length': expected an integer, but got a boolean instead.",
        "items[0].max_output_length",
        "invalid_type",
    ),
    "17 pairs of metadata": (
        {"metadata": {str(n): "x" for n in range(17)}},
        "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, "
        "but got an object with 17 properties instead.",
        "metadata",
        "object_above_max_properties",
    ),
    "a metadata value of 513 characters": (
        {"metadata": {"topic": "x" * 513}},
        "Invalid 'metadata.topic': string too long. Expected a string with maximum length 512, "
        "but got a string with length 513 instead.",
        "metadata.topic",
        "string_above_max_length",
    ),
    "a metadata key of 65 characters": (
        {"metadata": {"abc" + "x" * 59 + "xyz": "v"}},
        "Invalid property name in 'metadata': 'abc...xyz' is too long. Expected a string with maximum length 64, "
        "but got a string with length 65 instead.",
        "metadata.abc" + "x" * 59 + "xyz",
        "property_name_above_max_length",
    ),
    "a metadata value that is no string": (
        {"metadata": {"n": 1}},
        "Invalid type for 'metadata.n': expected a string, but got an integer instead.",
        "metadata.n",
        "invalid_type",
    ),
    "a metadata value that is null": (
        {"metadata": {"n": None}},
        "Invalid type for 'metadata.n': expected a string, but got null instead.",
        "metadata.n",
        "invalid_type",
    ),
    "metadata that is no object": (
        {"metadata": "x"},
        "Invalid type for 'metadata': expected a metadata object, but got a string instead.",
        "metadata",
        "invalid_type",
    ),
    "an unknown member": ({"bogus": 1}, "Unknown parameter: 'bogus'.", "bogus", "unknown_parameter"),
    "a member that is nearly known": (
        {"itmes": []},
        "Unknown parameter: 'itmes'. Did you mean 'items'?",
        "itmes",
        "unknown_parameter",
    ),
    "unknown before wrong": (
        {"metadata": 1, "bogus": 1},
        "Unknown parameter: 'bogus'.",
        "bogus",
        "unknown_parameter",
    ),
    "missing before wrong": (
        {"items": [{**HELLO, "status": "done"}, {"type": "reasoning", "id": "rs_1"}]},
        "Missing required parameter: 'items[1].summary'.",
        "items[1].summary",
        "missing_required_parameter",
    ),
}


@pytest.mark.parametrize("case", BODIES)
def test_invalid_body_is_refused_with_openais_error(as_alice, assert_error, case):
    body, message, param, code = BODIES[case]
    assert_error(as_alice.post("/conversations", body), 400, message, param=param, code=code)


def test_unknown_item_type_is_refused_with_the_supported_types(as_alice):
    error = as_alice.post("/conversations", {"items": [{"type": "telepathy"}]}).json()["error"]
    start = "Invalid value: 'telepathy'. Supported values are: 'additional_tools', 'apply_patch_call', "
    assert error["message"].startswith(start)
    assert error["message"].endswith("'tool_search_call', 'tool_search_output', and 'web_search_call'.")
    assert error["message"].count("'") == 2 * (1 + len(ITEM_TYPES))
    assert (error["param"], error["code"]) == ("items[0]", "invalid_value")


QUERIES = {
    "limit=1000": (
        "Invalid 'limit': integer above maximum value. Expected a value <= 100, but got 1000 instead.",
        "limit",
        "integer_above_max_value",
    ),
    "limit=101": (
        "Invalid 'limit': integer above maximum value. Expected a value <= 100, but got 101 instead.",
        "limit",
        "integer_above_max_value",
    ),
    "limit=0": (
        "Invalid 'limit': integer below minimum value. Expected a value >= 1, but got 0 instead.",
        "limit",
        "integer_below_min_value",
    ),
    "limit=-3": (
        "Invalid 'limit': integer below minimum value. Expected a value >= 1, but got -3 instead.",
        "limit",
        "integer_below_min_value",
    ),
    "limit=ten": (
        "Invalid type for 'limit': expected an integer, but got a string instead.",
        "limit",
        "invalid_type",
    ),
    "limit=": ("Invalid type for 'limit': expected an integer, but got a string instead.", "limit", "invalid_type"),
    "limit=1.5": ("Invalid type for 'limit': expected an integer, but got a string instead.", "limit", "invalid_type"),
    "order=up": ("Invalid value: 'up'. Supported values are: 'asc' and 'desc'.", "order", "invalid_value"),
    "limit=1&limit=2": (
        "Duplicate parameter: 'limit'. You provided multiple values for this parameter, whereas only one is allowed. "
        "If you are trying to provide a list of values, use the array syntax instead e.g. 'limit[]=<value>'.",
        "limit",
        "duplicate_parameter",
    ),
    "include=reasoning.encrypted_content": (
        "Invalid type for 'include': expected an array of one of 'fil...lts', 'web...lts', 'web...ces', 'mes...url', "
        "'com...url', 'cod...uts', 'rea...ent', or 'mes...obs', but got a string instead.",
        "include",
        "invalid_type",
    ),
    "include[]=file_search_call.results&include[]=x": (
        f"Invalid value: 'x'. Supported values are: {INCLUDABLE}.",
        "include[1]",
        "invalid_value",
    ),
    "include[0]=x": (f"Invalid value: 'x'. Supported values are: {INCLUDABLE}.", "include[0]", "invalid_value"),
}


@pytest.mark.parametrize("query", QUERIES)
def test_invalid_query_parameter_is_refused_with_openais_error(as_alice, assert_error, query):
    message, param, code = QUERIES[query]
    conversation_id = as_alice.new_conversation(HELLO)
    for requested_id in (conversation_id, "conv_none"):
        response = as_alice.get(f"/conversations/{requested_id}/items?{query}")
        assert_error(response, 400, message, param=param, code=code)


def test_limit_of_thousands_of_digits_is_above_the_maximum(as_alice):
    response = as_alice.get(f"/conversations/{as_alice.new_conversation()}/items?limit={'9' * 3000}")
    assert response.json()["error"]["code"] == "integer_above_max_value"


IDS = {
    "resp_1": ("Invalid 'conversation_id': 'resp_1'. Expected an ID that begins with 'conv'.", "invalid_value"),
    "conv_ü": (
        "Invalid 'conversation_id': 'conv_ü'. Expected an ID that contains letters, numbers, underscores, or dashes, "
        "but this value contained additional characters.",
        "invalid_value",
    ),
    "conv_a%00": (
        "Invalid 'conversation_id': 'conv_a\0'. Expected an ID that contains letters, numbers, underscores, or dashes, "
        "but this value contained additional characters.",
        "invalid_value",
    ),
    "conv_" + "x" * 60: (
        "Invalid 'conversation_id': string too long. Expected a string with maximum length 64, "
        "but got a string with length 65 instead.",
        "string_above_max_length",
    ),
}


@pytest.mark.parametrize("conversation_id", IDS)
def test_malformed_conversation_id_is_refused_by_every_endpoint(as_alice, assert_error, conversation_id):
    message, code = IDS[conversation_id]
    path = f"/conversations/{conversation_id}"
    for response in (
        as_alice.get(path),
        as_alice.post(path, {"metadata": {}}),
        as_alice.delete(path),
        as_alice.get(f"{path}/items"),
        as_alice.post(f"{path}/items", {"items": [HELLO]}),
        as_alice.get(f"{path}/items/msg_1"),
        as_alice.delete(f"{path}/items/msg_1"),
    ):
        assert_error(response, 400, message, param="conversation_id", code=code)
