import re

import pytest

from conversations.models import Item

HELLO = {"type": "message", "role": "user", "content": "Hello!"}
CODE = {"code": "1 + 1", "container_id": "cntr_1", "outputs": None}


def test_well_formed_id_is_preserved(as_alice):
    longest = "msg_" + "x" * 60
    conversation_id = as_alice.new_conversation({**HELLO, "id": "msg_A-b_1"}, {**HELLO, "id": longest})
    assert [item["id"] for item in as_alice.items(conversation_id)] == ["msg_A-b_1", longest]


def test_null_id_is_replaced_by_a_new_id(as_alice):
    [item] = as_alice.items(as_alice.new_conversation({**HELLO, "id": None}))
    assert item["id"].startswith("msg_")


@pytest.mark.parametrize(
    ("item_id", "message", "code"),
    [
        ("fc_1", "Invalid 'items[0].id': 'fc_1'. Expected an ID that begins with 'msg'.", "invalid_value"),
        ("", "Invalid 'items[0].id': ''. Expected an ID that begins with 'msg'.", "invalid_value"),
        (
            "msg_ü",
            "Invalid 'items[0].id': 'msg_ü'. Expected an ID that contains letters, numbers, underscores, or dashes, "
            "but this value contained additional characters.",
            "invalid_value",
        ),
        (
            "msg_" + "x" * 61,
            "Invalid 'items[0].id': string too long. Expected a string with maximum length 64, "
            "but got a string with length 65 instead.",
            "string_above_max_length",
        ),
        (7, "Invalid type for 'items[0].id': expected a string, but got an integer instead.", "invalid_type"),
    ],
)
def test_malformed_item_ids_are_refused(as_alice, assert_error, item_id, message, code):
    response = as_alice.post("/conversations", {"items": [{**HELLO, "id": item_id}]})
    assert_error(response, 400, message, param="items[0].id", code=code)


PROGRAM = {"type": "program", "call_id": "call_1", "code": "x", "fingerprint": "y"}
PROGRAM_OUTPUT = {"type": "program_output", "status": "completed", "call_id": "call_1", "result": "1"}
APPROVAL = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}
SHELL_OUTPUT = {"type": "local_shell_call_output", "output": "ok"}


@pytest.mark.parametrize(
    ("item", "item_id"),
    [
        (PROGRAM, "cm_123"),
        (PROGRAM, "prog_123"),
        (PROGRAM_OUTPUT, "cmo_123"),
        (PROGRAM_OUTPUT, "prog_out_123"),
        (APPROVAL, "mcpar_123"),
        (SHELL_OUTPUT, "lsh_123"),
        (SHELL_OUTPUT, "call_3"),
        ({"type": "additional_tools", "role": "developer", "tools": []}, "tools-1"),
        ({"type": "configuration_update"}, "1"),
    ],
)
def test_any_id_of_a_type_whose_prefix_is_unknown_is_preserved(as_alice, item, item_id):
    [stored] = as_alice.items(as_alice.new_conversation({**item, "id": item_id}))
    assert stored == {**item, "id": item_id}


@pytest.mark.parametrize(
    ("item", "item_id", "prefix"),
    [(PROGRAM, "msg_1", "msg"), (APPROVAL, "mcpr_1", "mcpr"), (SHELL_OUTPUT, "conv_1", "conv")],
)
def test_id_with_the_prefix_of_another_type_is_refused(as_alice, assert_error, item, item_id, prefix):
    assert_error(
        as_alice.post("/conversations", {"items": [{**item, "id": item_id}]}),
        400,
        f"Invalid 'items[0].id': '{item_id}'. Expected an ID that does not begin with '{prefix}', "
        "which begins the IDs of another type.",
        param="items[0].id",
        code="invalid_value",
    )


@pytest.mark.parametrize(("item", "prefix"), [(PROGRAM, "cm_"), (PROGRAM_OUTPUT, "cmo_")])
def test_new_ids_of_programs_have_the_prefixes_of_openais_examples(as_alice, item, prefix):
    [stored] = as_alice.items(as_alice.new_conversation(item))
    assert re.fullmatch(f"{prefix}[0-9a-f]{{48}}", stored["id"])


def test_output_with_the_id_of_its_call_is_not_replaced_by_an_output_of_another_conversation(as_alice):
    for output in ("first", "second"):
        item = {"type": "local_shell_call_output", "id": "call_3", "output": output}
        [stored] = as_alice.items(as_alice.new_conversation(item))
        assert stored == item


SHELL_CALL = {
    "type": "local_shell_call",
    "id": "lsh_1",
    "call_id": "call_1",
    "status": "completed",
    "action": {"type": "exec", "command": ["ls"], "env": {}},
}


def test_shell_output_with_the_id_of_its_call_gets_the_call_id_in_the_same_request(as_alice):
    call, output = as_alice.items(as_alice.new_conversation(SHELL_CALL, {**SHELL_OUTPUT, "id": "lsh_1"}))
    assert (call["id"], output) == ("lsh_1", {**SHELL_OUTPUT, "id": "call_1"})


def test_shell_output_with_the_id_of_its_call_gets_the_call_id_in_a_later_request(as_alice, as_bob):
    as_bob.new_conversation({**SHELL_CALL, "call_id": "call_of_bob"})
    conversation_id = as_alice.new_conversation(SHELL_CALL)
    response = as_alice.post(f"/conversations/{conversation_id}/items", {"items": [{**SHELL_OUTPUT, "id": "lsh_1"}]})
    assert [item["id"] for item in response.json()["data"]] == ["call_1"]
    assert [item["id"] for item in as_alice.items(conversation_id)] == ["lsh_1", "call_1"]


@pytest.mark.parametrize("call_id", ["lsh_1", "a b", "", "fc_1", "x" * 65])
def test_shell_output_gets_a_new_id_if_the_call_id_cannot_be_an_item_id(as_alice, call_id):
    call = {**SHELL_CALL, "call_id": call_id}
    _, output = as_alice.items(as_alice.new_conversation(call, {**SHELL_OUTPUT, "id": "lsh_1"}))
    assert re.fullmatch("lsho_[0-9a-f]{48}", output["id"])


def test_second_output_of_a_shell_call_is_refused(as_alice, assert_error):
    output = {**SHELL_OUTPUT, "id": "lsh_1"}
    conversation_id = as_alice.new_conversation(SHELL_CALL, output)
    response = as_alice.post(f"/conversations/{conversation_id}/items", {"items": [output]})
    assert_error(response, 400, "Item already in conversation", param="items", code="item_already_in_conversation")
    assert len(as_alice.items(conversation_id)) == 2


def test_item_is_not_replaced_by_an_item_of_another_type_with_the_same_id(as_alice):
    as_alice.new_conversation({"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": ""})
    output = {"type": "function_call_output", "id": "fc_1", "call_id": "c", "output": "42"}
    [stored] = as_alice.items(as_alice.new_conversation(output))
    assert stored == {**output, "status": "completed"}


def test_reasoning_with_neither_id_nor_encrypted_content_is_refused(as_alice, assert_error):
    for item in ({"type": "reasoning", "summary": []}, {"type": "reasoning", "summary": [], "encrypted_content": None}):
        response = as_alice.post("/conversations", {"items": [HELLO, item]})
        assert_error(response, 400, "Invalid item", param="item", code="invalid_item")
    assert not Item.objects.exists()


@pytest.mark.parametrize(
    ("item", "prefix"),
    [
        ({"type": "reasoning", "summary": [], "encrypted_content": "abc"}, "rs_"),
        ({"type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "x"}}, "ws_"),
        ({"type": "file_search_call", "status": "completed", "queries": ["x"]}, "fs_"),
        ({"type": "code_interpreter_call", "status": "completed", **CODE}, "ci_"),
        ({"type": "image_generation_call", "status": "completed", "result": None}, "ig_"),
        ({"type": "mcp_call", "server_label": "dice", "name": "roll", "arguments": "{}"}, "mcp_"),
        ({"type": "computer_call", "status": "completed", "call_id": "call_1", "pending_safety_checks": []}, "cu_"),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else None,
)
def test_hosted_tool_call_without_id_gets_an_id_of_its_type(as_alice, item, prefix):
    [stored] = as_alice.items(as_alice.new_conversation(item))
    assert re.fullmatch(f"{prefix}[0-9a-f]{{48}}", stored["id"])
    assert stored["type"] == item["type"]


def test_reference_without_id_is_refused(as_alice, assert_error):
    response = as_alice.post("/conversations", {"items": [{"type": "item_reference"}]})
    assert_error(
        response,
        400,
        "Missing required parameter: 'items[0].id'.",
        param="items[0].id",
        code="missing_required_parameter",
    )


@pytest.mark.parametrize(
    "items",
    [
        [{**HELLO, "id": "msg_1"}],
        [{"type": "item_reference", "id": "msg_1"}],
        [HELLO, {"id": "msg_1"}],
        [{**HELLO, "id": "msg_2"}, {**HELLO, "id": "msg_2"}],
    ],
)
def test_duplicate_id_in_a_conversation_is_refused(as_alice, assert_error, items):
    conversation_id = as_alice.new_conversation({**HELLO, "id": "msg_1"})
    response = as_alice.post(f"/conversations/{conversation_id}/items", {"items": items})
    assert_error(response, 400, "Item already in conversation", param="items", code="item_already_in_conversation")
    assert len(as_alice.items(conversation_id)) == 1


def test_duplicate_id_in_a_create_request_is_refused(as_alice, assert_error):
    response = as_alice.post("/conversations", {"items": [{**HELLO, "id": "msg_1"}] * 2})
    assert_error(response, 400, "Item already in conversation", param="items", code="item_already_in_conversation")


def test_duplicate_id_of_another_conversation_is_refused(as_alice, assert_error):
    as_alice.new_conversation({**HELLO, "id": "msg_1"})
    response = as_alice.post("/conversations", {"items": [{**HELLO, "id": "msg_1"}] * 2})
    assert_error(response, 400, "Item already in conversation", param="items", code="item_already_in_conversation")


def test_reused_id_copies_the_item_from_another_conversation_of_the_owner(as_alice):
    as_alice.new_conversation({**HELLO, "id": "msg_1", "content": "the first"})
    for item in ({**HELLO, "id": "msg_1", "content": "ignored"}, {"type": "item_reference", "id": "msg_1"}):
        conversation_id = as_alice.new_conversation(HELLO, item)
        copy = as_alice.items(conversation_id)[1]
        assert (copy["id"], copy["content"][0]["text"]) == ("msg_1", "the first")


def test_copied_item_outlives_its_original_conversation(as_alice):
    origin = as_alice.new_conversation({**HELLO, "id": "msg_1"})
    conversation_id = as_alice.new_conversation({"id": "msg_1"})
    as_alice.delete(f"/conversations/{origin}")
    assert [item["id"] for item in as_alice.items(conversation_id)] == ["msg_1"]


def test_item_id_of_another_owner_is_treated_as_unknown(as_alice, as_bob, assert_error):
    as_alice.new_conversation({**HELLO, "id": "msg_1", "content": "alice's"})
    conversation_id = as_bob.new_conversation({**HELLO, "id": "msg_1", "content": "bob's"})
    assert as_bob.items(conversation_id)[0]["content"][0]["text"] == "bob's"
    as_alice.new_conversation({**HELLO, "id": "msg_2"})
    response = as_bob.post("/conversations", {"items": [{"type": "item_reference", "id": "msg_2"}]})
    assert_error(response, 404, "Item with id 'msg_2' not found.", param="items")


def test_unknown_reference_is_reported_before_a_duplicate_id(as_alice, assert_error):
    conversation_id = as_alice.new_conversation({**HELLO, "id": "msg_1"})
    response = as_alice.post(
        f"/conversations/{conversation_id}/items", {"items": [{"id": "msg_1"}, {"id": "msg_none"}]}
    )
    assert_error(response, 404, "Item with id 'msg_none' not found.", param="items")


def test_number_of_queries_does_not_grow_with_the_ids(as_alice, django_assert_num_queries):
    as_alice.new_conversation(*({**HELLO, "id": f"msg_{n}"} for n in range(20)))
    for ids in (["msg_0"], [f"msg_{n}" for n in range(20)]):
        conversation_id = as_alice.new_conversation()
        with django_assert_num_queries(9):
            as_alice.post(f"/conversations/{conversation_id}/items", {"items": [{"id": item_id} for item_id in ids]})
