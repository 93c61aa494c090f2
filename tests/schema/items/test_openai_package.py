"""The item definitions, compared with the types of the `openai` package that is installed.

What a client may send is an item of the request's type, or an item of an answer that it sends again. A member is
required if both require it, and has the values of both. If a new version of the package fails this test, change the
definition, or list the difference with its reason.
"""

import re
from functools import reduce
from typing import Union, get_args

from openai.types.conversations import ConversationItem
from openai.types.responses import ResponseInputItemParam

from conversations.schema.items import ITEM_TYPES
from tests.schema.items.shapes import is_below, shape

OURS = Union[tuple(item_type.definition for item_type in ITEM_TYPES.values())]  # noqa: UP007
ANSWER = get_args(ConversationItem)[0]

DIFFERENCES = {
    "Only these roles can be sent.": [
        "additional_tools.role: there 'assistant', 'critic', 'discriminator', 'system', 'tool', 'unknown', 'user'",
        "message.role: there 'critic', 'discriminator', 'tool', 'unknown'",
    ],
    "The package calls objects without a schema `object`, which is anything in Python.": [
        "additional_tools.tools[](namespace).tools[](function).parameters: here null, object; there anything",
        "additional_tools.tools[](tool_search).parameters: here null, object; there anything",
        "mcp_list_tools.tools[].annotations: here null, object; there anything",
        "mcp_list_tools.tools[].input_schema: here object; there anything",
        "tool_search_call.arguments: here object; there anything",
        "tool_search_output.tools[](namespace).tools[](function).parameters: here null, object; there anything",
        "tool_search_output.tools[](tool_search).parameters: here null, object; there anything",
    ],
    "The server assigns missing ids.": [
        "code_interpreter_call.id: here null, optional; there required",
        "computer_call.id: here null, optional; there required",
        "custom_tool_call.id: here null",
        "custom_tool_call_output.id: here null",
        "file_search_call.id: here null, optional; there required",
        "function_call.id: here null",
        "image_generation_call.id: here null, optional; there required",
        "local_shell_call.id: here null, optional; there required",
        "local_shell_call_output.id: here null, optional; there required",
        "mcp_approval_request.id: here null, optional; there required",
        "mcp_call.id: here null, optional; there required",
        "mcp_list_tools.id: here null, optional; there required",
        "message.id: here null",
        "program.id: here null, optional; there required",
        "program_output.id: here null, optional; there required",
        "reasoning.id: here null, optional; there required",
        "web_search_call.id: here null, optional; there required",
    ],
    "Messages and tool outputs have the same content parts here. There, either one or the other is not nullable.": [
        "custom_tool_call_output.output[](input_file).file_data: here null",
        "custom_tool_call_output.output[](input_file).file_url: here null",
        "custom_tool_call_output.output[](input_file).filename: here null",
        "custom_tool_call_output.output[](input_file).prompt_cache_breakpoint: here null",
        "custom_tool_call_output.output[](input_image).prompt_cache_breakpoint: here null",
        "custom_tool_call_output.output[](input_text).prompt_cache_breakpoint: here null",
        "message.content[](input_file).file_data: here null",
        "message.content[](input_file).file_url: here null",
        "message.content[](input_file).filename: here null",
        "message.content[](input_file).prompt_cache_breakpoint: here null",
        "message.content[](input_image).prompt_cache_breakpoint: here null",
        "message.content[](input_text).prompt_cache_breakpoint: here null",
    ],
    "OpenAI's models leave out these members at times, and agents SDKs send what the models return.": [
        "web_search_call.action: here optional; there required",
        "web_search_call.action(find_in_page).url: here optional; there required",
    ],
    "A default value replaces null, or a missing member.": [
        "computer_call.pending_safety_checks: here null, optional; there required",
        "custom_tool_call_output.output[](input_image).detail: here null, optional; there required",
        "function_call.status: here null",
        "message.content[](input_image).detail: here null, optional; there required",
        "message.content[](output_text).annotations: here null, optional; there required",
        "message.content[](output_text).logprobs: here null",
        "message.status: here null",
        "tool_search_call.execution: here null",
        "tool_search_output.execution: here null",
    ],
    "A string is one content part, which the server writes.": [
        "message.content: there string",
    ],
    "Answers may contain these content parts of other systems, but no client can send them.": [
        "message.content[](computer_screenshot).detail: there 'auto', 'high', 'low', 'original', required",
        "message.content[](computer_screenshot).file_id: there optional, string",
        "message.content[](computer_screenshot).image_url: there optional, string",
        "message.content[](computer_screenshot).prompt_cache_breakpoint: there object, optional",
        "message.content[](reasoning_text).text: there required, string",
        "message.content[](summary_text).text: there required, string",
        "message.content[](text).text: there required, string",
    ],
}


def item_shape(definition):
    """Return the facts by path, where a path begins with the item type: `message.role`."""
    facts = shape(definition, "")
    return {re.sub(r"^\((\w+)\)", r"\1", path): path_facts for path, path_facts in facts.items() if path}


def merge(first, second):
    merged = {path: first.get(path, set()) | second.get(path, set()) for path in first.keys() | second.keys()}
    return {path: facts - ({"required"} if "optional" in facts else set()) for path, facts in merged.items()}


def differences(ours, theirs):
    missing = ours.keys() ^ theirs.keys()
    for path in sorted(ours.keys() | theirs.keys()):
        here, there = ours.get(path, set()), theirs.get(path, set())
        if here != there and not is_below(path, missing):
            parts = [("here", here - there), ("there", there - here)]
            yield f"{path}: " + "; ".join(f"{where} {', '.join(sorted(facts))}" for where, facts in parts if facts)


def test_definitions_differ_from_the_types_of_the_package_only_where_a_reason_is_listed():
    theirs = reduce(merge, map(item_shape, (ResponseInputItemParam, ANSWER)))
    listed = [difference for of_reason in DIFFERENCES.values() for difference in of_reason]
    assert sorted(differences(item_shape(OURS), theirs)) == sorted(listed)
