import json
from pathlib import Path

import pytest

from conversations.schema.item_failures import find_failure
from conversations.schema.items import ITEM_TYPES

GOLDEN = Path(__file__).parents[1] / "golden" / "items"
ERROR = json.dumps({"error": {"message": "no such order"}})
SHELL = {"type": "shell_call_output", "output": [{"stdout": "", "stderr": "no", "outcome": {"type": "exit"}}]}

# At least one failing item of each type that can report a failure, and its reason.
FAILING = [
    ({"type": "apply_patch_call_output", "status": "failed", "output": "no such file"}, "failed"),
    ({"type": "apply_patch_call", "status": "incomplete"}, "incomplete"),
    ({"type": "code_interpreter_call", "status": "failed", "code": "1/0"}, "failed"),
    (
        {
            "type": "code_interpreter_call",
            "status": "completed",
            "outputs": [{"type": "logs", "logs": "x\nTraceback (most recent call last):\n  ..."}],
        },
        "error",
    ),
    ({"type": "computer_call", "status": "incomplete"}, "incomplete"),
    ({"type": "computer_call_output", "status": "failed"}, "failed"),
    ({"type": "custom_tool_call", "status": "incomplete"}, "incomplete"),
    ({"type": "custom_tool_call_output", "output": "Error: no such order"}, "error"),
    ({"type": "file_search_call", "status": "failed"}, "failed"),
    ({"type": "function_call", "status": "incomplete"}, "incomplete"),
    ({"type": "function_call_output", "status": "incomplete", "output": "half"}, "incomplete"),
    ({"type": "function_call_output", "output": ERROR}, "error"),
    ({"type": "function_call_output", "output": [{"type": "input_text", "text": ERROR}]}, "error"),
    (
        {"type": "function_call_output", "output": "An error occurred while running the tool. Please try again."},
        "error",
    ),
    ({"type": "function_call_output", "output": "ValueError: no such order"}, "error"),
    ({"type": "function_call_output", "output": '{"isError": true, "content": []}'}, "error"),
    ({"type": "function_call_output", "output": '{"success": false}'}, "error"),
    ({"type": "function_call_output", "output": '{"ok": false}'}, "error"),
    ({"type": "function_call_output", "output": '{"status": "failed"}'}, "error"),
    ({"type": "function_call_output", "output": '{"returncode": 2}'}, "exit_code"),
    ({"type": "image_generation_call", "status": "failed"}, "failed"),
    ({"type": "local_shell_call", "status": "incomplete"}, "incomplete"),
    ({"type": "local_shell_call_output", "output": '{"output": "", "metadata": {"exit_code": 1}}'}, "exit_code"),
    ({"type": "local_shell_call_output", "output": '{"timed_out": true}'}, "timeout"),
    ({"type": "mcp_approval_response", "approve": False}, "refused"),
    ({"type": "mcp_call", "status": "completed", "error": "server is down"}, "error"),
    ({"type": "mcp_call", "status": "failed", "error": {"type": "http_error", "code": 503}}, "error"),
    ({"type": "mcp_call", "status": "incomplete", "error": None}, "incomplete"),
    ({"type": "mcp_list_tools", "error": "unauthorized", "tools": []}, "error"),
    ({"type": "message", "role": "assistant", "status": "incomplete", "content": []}, "incomplete"),
    ({"type": "program_output", "status": "incomplete", "result": "1"}, "incomplete"),
    ({"type": "program_output", "status": "completed", "result": "TypeError: x is undefined"}, "error"),
    ({"type": "reasoning", "status": "incomplete", "summary": []}, "incomplete"),
    ({"type": "shell_call", "status": "incomplete"}, "incomplete"),
    ({**SHELL, "output": [{**SHELL["output"][0], "outcome": {"type": "exit", "exit_code": 2}}]}, "exit_code"),
    ({**SHELL, "output": [{**SHELL["output"][0], "outcome": {"type": "timeout"}}]}, "timeout"),
    ({"type": "tool_search_call", "status": "incomplete"}, "incomplete"),
    ({"type": "tool_search_output", "status": "incomplete", "tools": []}, "incomplete"),
    ({"type": "web_search_call", "status": "failed"}, "failed"),
    ({"type": "hologram", "status": "failed"}, "failed"),
]
WITHOUT_FAILURES = {
    *("additional_tools", "compaction", "compaction_trigger", "configuration_update", "item_reference"),
    *("mcp_approval_request", "program"),
}


@pytest.mark.parametrize(("item", "reason"), FAILING)
def test_failing_item_of_each_type_has_a_reason(item, reason):
    assert find_failure(item).reason == reason


def test_every_item_type_fails_in_a_test_or_has_no_way_to_report_a_failure():
    assert {item["type"] for item, _reason in FAILING} - {"hologram"} == ITEM_TYPES.keys() - WITHOUT_FAILURES


def test_exit_code_is_part_of_the_failure():
    assert find_failure({"type": "function_call_output", "output": '{"exit_code": 127}'}).exit_code == 127


@pytest.mark.parametrize(
    "output",
    [
        *("", "18 °C", "no errors found", "The error: none", "{", "[1]", "null", '{"error": null}', '{"error": ""}'),
        *('{"exit_code": 0}', '{"success": true}', '{"status": "ok"}', '{"exit_code": true}', "[" * 5000, None, 7),
        *([], [None], [{"type": "input_text", "text": None}], {"error": "not a text"}),
    ],
)
def test_output_of_a_tool_that_succeeded_is_no_failure(output):
    assert find_failure({"type": "function_call_output", "output": output}) is None


@pytest.mark.parametrize("data", [None, 7, "failed", [], {}, {"type": 1, "status": ["failed"]}, {"type": ["x"]}])
def test_malformed_item_is_no_failure(data):
    assert find_failure(data) is None


def test_text_of_a_message_about_errors_is_no_failure():
    content = [{"type": "output_text", "text": "Error: exit_code 1, failed"}]
    assert find_failure({"type": "message", "role": "assistant", "status": "completed", "content": content}) is None


def test_golden_examples_fail_only_where_they_say_so():
    failing = {}
    for path in sorted(GOLDEN.glob("*.json")):
        for example in json.loads(path.read_text())["accepted"]:
            data = {"type": path.stem, **example["sent"]}
            if failure := find_failure(data):
                text = json.dumps(data)
                assert any(word in text for word in ("failed", "incomplete", "error", "timeout", "exit", "approve")), (
                    data
                )
                failing.setdefault(path.stem, []).append(failure.reason)
    assert failing["apply_patch_call_output"] == ["failed"]
