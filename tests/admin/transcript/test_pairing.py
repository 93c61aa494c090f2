import pytest
from django.http import QueryDict

from conversations.admin.transcript.page import Transcript
from conversations.admin.transcript.pairing import OUTPUT_TYPES
from conversations.models import Conversation


class ShortPages(Transcript):
    items_per_page = 3


def create_conversation(owner, *items: dict) -> Conversation:
    """Store the items without validation, so that a type with many required members needs only those that pair."""
    items = [{"id": f"x_{position}", **item} for position, item in enumerate(items, 1)]
    return Conversation.objects.create_with_items(owner=owner, items=items, validate=False)


def call(call_id: object = "c", type: str = "function_call") -> dict:
    return {"type": type, "call_id": call_id}


def output(call_id: object = "c", type: str = "function_call_output") -> dict:
    return {"type": type, "call_id": call_id}


TEXT = {"type": "message", "role": "user", "content": "x"}


def open_transcript(
    conversation: Conversation, query: str = "", *, transcript_class: type[Transcript] = Transcript
) -> Transcript:
    return transcript_class(conversation, items=conversation.items.all(), parameters=QueryDict(query))


def pairs(conversation: Conversation, query: str = "") -> dict[int, list[int]]:
    items = open_transcript(conversation, query).items
    return {item.position: [output.position for output in item.outputs] for item in items if item.outputs}


def orphans(conversation: Conversation) -> list[int]:
    return [item.position for item in open_transcript(conversation).items if item.is_orphan]


def test_calls_are_paired_with_distant_and_earlier_outputs(alice):
    conversation = create_conversation(alice, output("b"), call("a"), TEXT, call("b"), output("a"))
    assert pairs(conversation) == {2: [5], 4: [1]}
    assert orphans(conversation) == []


@pytest.mark.parametrize("call_type", sorted(set(OUTPUT_TYPES) - {"mcp_approval_request"}))
def test_every_call_type_is_paired_only_with_its_own_output_type(alice, call_type):
    conversation = create_conversation(alice, call(type=call_type), output(type=OUTPUT_TYPES[call_type]))
    assert pairs(conversation) == {1: [2]}
    other = "shell_call_output" if call_type != "shell_call" else "function_call_output"
    conversation = create_conversation(alice, call(type=call_type), output(type=other))
    assert pairs(conversation) == {}
    assert orphans(conversation) == [1, 2]


def test_approval_request_is_paired_with_its_response(alice):
    request = {"id": "mcpr_1", "type": "mcp_approval_request"}
    response = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}
    assert pairs(create_conversation(alice, request, TEXT, response)) == {1: [3]}
    assert orphans(create_conversation(alice, {**response, "approval_request_id": "mcpr_2"})) == [1]


def test_output_is_paired_with_the_nearest_call_of_the_same_call_id(alice):
    assert pairs(create_conversation(alice, call(), output(), call(), output())) == {1: [2], 3: [4]}
    assert pairs(create_conversation(alice, call(), output(), output())) == {1: [2, 3]}


@pytest.mark.parametrize("call_id", [None, "", 7, [], {"a": 1}, "unknown"])
def test_calls_without_output_and_outputs_without_call_are_marked_as_orphans(alice, call_id):
    conversation = create_conversation(alice, call("lonely"), output(call_id), TEXT)
    assert pairs(conversation) == {}
    assert orphans(conversation) == [1, 2]


def test_local_shell_output_is_paired_with_the_preceding_call(alice):
    shell = call(type="local_shell_call")
    answer = {"type": "local_shell_call_output", "output": "ok"}
    assert pairs(create_conversation(alice, shell, answer)) == {1: [2]}
    assert orphans(create_conversation(alice, shell, TEXT, answer)) == [1, 3]


def test_local_shell_output_is_paired_with_the_call_whose_call_id_is_its_id(alice):
    calls = [call(call_id, type="local_shell_call") for call_id in ("a", "b")]
    answers = [{"id": call_id, "type": "local_shell_call_output", "output": "ok"} for call_id in ("a", "b")]
    conversation = create_conversation(alice, *calls, TEXT, *answers)
    assert pairs(conversation) == {1: [4], 2: [5]}
    assert orphans(conversation) == []


def test_server_side_tool_search_is_not_an_orphan(alice):
    search = {"type": "tool_search_call", "call_id": None}
    assert orphans(create_conversation(alice, search, {"type": "tool_search_output", "call_id": None})) == []


def test_counterpart_on_another_page_is_linked(alice):
    approval = {"id": "mcpr_1", "type": "mcp_approval_request"}
    response = {"id": "mcpa_1", "type": "mcp_approval_response", "approval_request_id": "mcpr_1"}
    conversation = create_conversation(alice, call("a"), approval, call("b"), output("a"), response, TEXT, output("z"))
    first = open_transcript(conversation, transcript_class=ShortPages).items
    assert [item.counterpart_links for item in first] == [
        [(4, "?item=x_4#item_x_4")],
        [(5, "?item=mcpa_1#item_mcpa_1")],
        [],
    ]
    assert [item.is_orphan for item in first] == [False, False, True]
    second = open_transcript(conversation, "after=3", transcript_class=ShortPages).items
    assert [item.counterpart_links for item in second] == [
        [(1, "?item=x_1#item_x_1")],
        [(2, "?item=mcpr_1#item_mcpr_1")],
        [],
    ]


def test_calls_of_other_conversations_are_not_paired(alice):
    create_conversation(alice, call("a"))
    assert orphans(create_conversation(alice, output("a"))) == [1]


def test_calls_whose_ids_have_nul_characters_and_line_breaks_are_paired(alice):
    conversation = create_conversation(alice, call("a\0"), call("b\n"), output("b\n"), output("a\0"), call("c\0"))
    assert pairs(conversation) == {1: [4], 2: [3]}
    assert orphans(conversation) == [5]
    first = open_transcript(conversation, transcript_class=ShortPages).items[0]
    assert first.counterpart_links == [(4, "?item=x_4#item_x_4")]


def test_approval_whose_request_has_a_nul_character_in_its_arguments_is_paired(alice):
    request = {"id": "mcpr_1", "type": "mcp_approval_request", "arguments": "\0"}
    response = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}
    conversation = create_conversation(alice, request, TEXT, TEXT, response)
    assert open_transcript(conversation, transcript_class=ShortPages).items[0].counterpart_links == [
        (4, "?item=x_4#item_x_4")
    ]


def test_local_shell_output_on_another_page_is_linked_to_its_call(alice):
    shell = call("a", type="local_shell_call")
    answer = {"id": "a", "type": "local_shell_call_output", "output": "\0"}
    conversation = create_conversation(alice, shell, TEXT, TEXT, answer)
    assert open_transcript(conversation, transcript_class=ShortPages).items[0].counterpart_links == [
        (4, "?item=a#item_a")
    ]


def test_call_links_to_its_approval_request(alice):
    approved = {"type": "mcp_call", "name": "roll", "approval_request_id": "mcpr_1"}
    item = open_transcript(create_conversation(alice, approved)).items[0]
    url = "?item=mcpr_1#item_mcpr_1"
    assert item.header_facts == [("approval_request_id", "Approval request", "mcpr_1", url)]
