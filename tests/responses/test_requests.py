"""Requests for a turn: what is read of them, what is refused, and what reaches the upstream."""

import httpx2
import openai
import pytest

from tests.responses.conftest import UPSTREAM_KEY
from tests.responses.items import stored_texts
from tests.waiting import SECONDS


def test_members_reach_the_upstream_as_they_came(client, stage):
    conversation = client.conversations.create()
    client.responses.create(
        model="echo",
        conversation=conversation.id,
        input="one",
        instructions="Be brief.",
        truncation="auto",
        temperature=0.5,
        extra_body={"unknown": {"member": [1, None]}},
    )
    sent = stage.upstream.requests[-1]["json"]
    assert {name: sent[name] for name in sent if name not in ("input", "model")} == {
        "instructions": "Be brief.",
        "truncation": "auto",
        "temperature": 0.5,
        "unknown": {"member": [1, None]},
    }


def test_upstream_gets_its_own_key_and_nothing_about_the_client(client, stage):
    conversation = client.conversations.create(extra_headers={"Conversations-User": "ann"})
    client.responses.create(
        model="echo",
        conversation=conversation.id,
        input="one",
        extra_headers={
            "Conversations-User": "ann",
            "Cookie": "a=b",
            "OpenAI-Project": "p",
            "X-Forwarded-For": "1.2.3.4",
        },
    )
    headers = stage.upstream.requests[-1]["headers"]
    assert headers["authorization"] == f"Bearer {UPSTREAM_KEY}"
    names = {"conversations-user", "cookie", "openai-project", "x-forwarded-for", "idempotency-key"}
    assert names.isdisjoint(headers)
    assert stage.service.secret not in str(headers)


URL = "https://hidden.example.org/a.png"
HIDDEN = [  # Each has a member that answers leave out without `include`.
    {"type": "reasoning", "summary": [], "encrypted_content": "hidden"},
    {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_image", "detail": "auto", "file_id": None, "image_url": URL}],
    },
    {
        "type": "file_search_call",
        "status": "completed",
        "queries": ["a"],
        "results": [{"file_id": "file-a", "text": "hidden", "score": 0.5}],
    },
    {
        "type": "code_interpreter_call",
        "status": "completed",
        "code": "1",
        "container_id": "cntr_1",
        "outputs": [{"type": "logs", "logs": "hidden"}],
    },
    {
        "type": "web_search_call",
        "status": "completed",
        "action": {"type": "search", "query": "a", "sources": [{"type": "url", "url": URL}]},
    },
    {
        "type": "computer_call_output",
        "call_id": "call_1",
        "output": {"type": "computer_screenshot", "file_id": "file-a", "image_url": URL},
    },
]


def test_history_has_more_items_than_a_page_with_hidden_members(client, stage):
    conversation = client.conversations.create()
    for start in range(0, 120, 20):
        texts = [{"role": "user", "content": f"number {number}"} for number in range(start, start + 20)]
        client.conversations.items.create(conversation.id, items=texts)
    client.conversations.items.create(conversation.id, items=HIDDEN)
    shown = client.conversations.items.list(conversation.id, limit=len(HIDDEN)).data
    assert "hidden" not in str([item.to_dict() for item in shown])
    client.responses.create(model="echo", conversation=conversation.id, input="last")
    sent = stage.upstream.requests[-1]["json"]["input"]
    assert [item["content"][0]["text"] for item in sent[:120]] == [f"number {number}" for number in range(120)]
    for item, stored in zip(HIDDEN, sent[120:-1], strict=True):
        assert {name: stored[name] for name in item} == item
    assert sent[-1] == {"type": "message", "role": "user", "content": "last"}


@pytest.mark.parametrize("is_stream", [False, True])
def test_turn_that_is_not_to_be_stored_reads_the_history_and_stores_nothing(client, stage, is_stream):
    conversation = client.conversations.create(items=[{"role": "user", "content": "one"}])
    arguments = {"model": "echo", "conversation": conversation.id, "input": "two", "store": False}
    answer = client.responses.create(**arguments, stream=is_stream)
    if is_stream:
        assert list(answer)[-1].type == "response.completed"
    sent = stage.upstream.requests[-1]["json"]
    assert (len(sent["input"]), sent["store"]) == (2, False)
    assert stored_texts(client, conversation.id) == ["one"]


def test_tool_calls_and_their_outputs_are_stored_in_order(client, stage):
    conversation = client.conversations.create()
    calls = client.responses.create(model="tools", conversation=conversation.id, input="one").output
    outputs = [{"type": "function_call_output", "call_id": call.call_id, "output": "1"} for call in calls]
    client.responses.create(model="echo", conversation=conversation.id, input=outputs)
    types = [item.type for item in client.conversations.items.list(conversation.id, order="asc")]
    assert types == ["message", *["function_call"] * 2, *["function_call_output"] * 2, "message"]
    sent = stage.upstream.requests[-1]["json"]["input"]
    assert [item.get("call_id") for item in sent[1:]] == [call.call_id for call in calls] * 2


def test_reference_in_the_input_is_replaced_by_its_item(client, stage):
    other = client.conversations.create(items=[{"role": "user", "content": "elsewhere"}])
    [item] = client.conversations.items.list(other.id)
    conversation = client.conversations.create()
    reference = {"type": "item_reference", "id": item.id}
    client.responses.create(model="echo", conversation=conversation.id, input=[reference])
    [sent] = stage.upstream.requests[-1]["json"]["input"]
    assert (sent["content"][0]["text"], "id" in sent) == ("elsewhere", False)
    assert stored_texts(client, conversation.id)[0] == "elsewhere"
    with pytest.raises(openai.NotFoundError, match="msg_unknown"):
        client.responses.create(
            model="echo", conversation=conversation.id, input=[{"type": "item_reference", "id": "msg_unknown"}]
        )


@pytest.mark.parametrize("model", ["counted", "new-type", "item-by-item", "odd"])
@pytest.mark.parametrize("is_stream", [False, True])
def test_output_of_unusual_servers_is_stored(client, model, is_stream):
    """Ids that repeat in each conversation, unknown types, responses without output, comments and other line ends."""
    for _ in range(2):
        conversation = client.conversations.create()
        for text in ("one", "two"):
            arguments = {"model": model, "conversation": conversation.id, "input": text}
            if is_stream:
                raw = client.responses.with_streaming_response.create(**arguments, stream=True)
                with raw as answer:
                    assert "response.completed" in "".join(answer.iter_text())
            else:
                client.responses.create(**arguments)
        texts = stored_texts(client, conversation.id)
        count = 3 if model == "new-type" else 2
        assert texts[::count] == ["one", "two"]
        assert texts[1::count] == [f"I see {number} items. Card 4111111111111111." for number in (1, count + 1)]


REFUSED = [
    pytest.param(
        {"previous_response_id": "resp_1"},
        "Mutually exclusive parameters: ''. Ensure you are only providing one of: 'pre..._id' or 'conversation'.",
        (None, "mutually_exclusive_parameters"),
        id="previous response",
    ),
    pytest.param(
        {"background": True},
        "Unsupported value: 'background' must be false for a request with 'conversation'.",
        ("background", "unsupported_value"),
        id="background",
    ),
    pytest.param(
        {"input": 1},
        "Invalid type for 'input': expected one of a string or array of objects, but got an integer instead.",
        ("input", "invalid_type"),
        id="input",
    ),
    pytest.param(
        {"input": [{"role": "user", "content": "one"}, {"type": "message", "role": "cook", "content": "two"}]},
        "Invalid value: 'cook'. Supported values are: 'assistant', 'system', 'developer', and 'user'.",
        ("input[1]", "invalid_value"),
        id="item",
    ),
    pytest.param(
        {"stream": "yes"},
        "Invalid type for 'stream': expected a boolean, but got a string instead.",
        ("stream", "invalid_type"),
        id="stream",
    ),
    pytest.param(
        {"conversation": {"name": "x"}},
        "Missing required parameter: 'conversation.id'.",
        ("conversation.id", "missing_required_parameter"),
        id="no id",
    ),
    pytest.param(
        {"conversation": 7},
        "Invalid type for 'conversation': expected a string, but got an integer instead.",
        ("conversation", "invalid_type"),
        id="number",
    ),
    pytest.param(
        {"conversation": "resp_1"},
        "Invalid 'conversation': 'resp_1'. Expected an ID that begins with 'conv'.",
        ("conversation", "invalid_value"),
        id="wrong prefix",
    ),
]


@pytest.mark.parametrize(("members", "message", "rest"), REFUSED)
def test_request_that_is_refused_does_not_reach_the_upstream(client, stage, members, message, rest):
    conversation = client.conversations.create()
    asked = len(stage.upstream.requests)
    body = {"model": "echo", "conversation": conversation.id, "input": "one", **members}
    with pytest.raises(openai.BadRequestError) as raised:
        client.post("/responses", body=body, cast_to=object)
    error = raised.value
    assert (error.body["message"], (error.param, error.code)) == (message, rest)
    assert raised.value.response.headers["x-request-id"].startswith("req_")
    assert len(stage.upstream.requests) == asked
    assert stored_texts(client, conversation.id) == []
    client.responses.create(model="echo", conversation=conversation.id, input="one")  # There is no lease.


@pytest.mark.parametrize(
    ("member", "users"),
    [
        ('"seed": 9223372036854775808', []),
        ('"temperature": NaN', []),
        ('"metadata": {"topic": "a\\u0000"}', []),
        ('"user": "a\\u0000"', ["a\0"]),
        ('"user": "a\\ud800"', ["a\ufffd"]),
    ],
)
def test_values_that_no_database_stores_are_refused_and_lone_surrogates_replaced(client, stage, member, users):
    conversation = client.conversations.create()
    asked = len(stage.upstream.requests)
    body = f'{{"model": "echo", "conversation": "{conversation.id}", "input": "one", {member}}}'
    headers = {"authorization": f"Bearer {stage.service.secret}"}
    answer = httpx2.post(f"{stage.base_url}/responses", content=body, headers=headers, timeout=SECONDS)
    assert answer.status_code == (200 if users else 400), answer.text
    assert [each["json"]["user"] for each in stage.upstream.requests[asked:]] == users


def test_item_of_the_conversation_is_refused_as_new_input(client, stage):
    conversation = client.conversations.create(items=[{"role": "user", "content": "one"}])
    [item] = client.conversations.items.list(conversation.id)
    asked = len(stage.upstream.requests)
    with pytest.raises(openai.BadRequestError) as raised:
        client.responses.create(model="echo", conversation=conversation.id, input=[item.to_dict()])
    assert (raised.value.code, raised.value.param) == ("item_already_in_conversation", "input")
    assert len(stage.upstream.requests) == asked


def test_body_beyond_the_limit_is_refused(client):
    conversation = client.conversations.create()
    with pytest.raises(openai.APIStatusError) as raised:
        client.responses.create(model="echo", conversation=conversation.id, input="x" * 1_000_001)
    assert (raised.value.status_code, raised.value.code) == (413, "request_too_large")
