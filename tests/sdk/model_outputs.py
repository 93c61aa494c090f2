"""Items of models' responses, for `agents.testing.ScriptedModel`."""

from typing import Literal

from agents.models.chatcmpl_converter import Converter
from openai.types.chat import ChatCompletionMessage
from openai.types.responses import (
    ResponseCodeInterpreterToolCall,
    ResponseComputerToolCall,
    ResponseFileSearchToolCall,
    ResponseFunctionWebSearch,
    ResponseOutputItem,
    ResponseReasoningItem,
)
from openai.types.responses.response_computer_tool_call import ActionScreenshot
from openai.types.responses.response_function_web_search import ActionSearch
from openai.types.responses.response_output_item import ImageGenerationCall, McpCall, McpListTools
from openai.types.responses.response_reasoning_item import Content, Summary

# The Agents SDK gives this id to the items of models that have none, and removes it before a session stores them.
WITHOUT_ID = "__fake_id__"


def reasoning_with_summary(text: str, *, id: str = WITHOUT_ID) -> ResponseReasoningItem:
    summary = Summary(type="summary_text", text=text)
    return ResponseReasoningItem(id=id, type="reasoning", summary=[summary], encrypted_content="gAAAA")


def chat_answer(text: str, *, thinking: str) -> list[ResponseOutputItem]:
    """Convert an answer of another provider's model, with the Agents SDK's own converter."""
    blocks = [{"type": "thinking", "thinking": thinking, "signature": f"signature of {thinking}"}]
    message = ChatCompletionMessage.model_construct(
        role="assistant", content=text, reasoning_content=thinking, thinking_blocks=blocks
    )
    return Converter.message_to_output_items(message, provider_data={"model": "other"})


def computer_call(*, id: str, call_id: str) -> ResponseComputerToolCall:
    return ResponseComputerToolCall(
        id=id,
        type="computer_call",
        call_id=call_id,
        status="completed",
        action=ActionScreenshot(type="screenshot"),
        pending_safety_checks=[],
    )


def reasoning_with_signature(text: str) -> ResponseReasoningItem:
    """Build a reasoning item as the Agents SDK does from the thinking blocks of other models."""
    content = Content(type="reasoning_text", text=text)
    signature = f"signature of {text}"
    return ResponseReasoningItem(
        id=WITHOUT_ID, type="reasoning", summary=[], content=[content], encrypted_content=signature
    )


def web_search(*, id: str, status: Literal["completed", "incomplete"]) -> ResponseFunctionWebSearch:
    action = ActionSearch(type="search", query="weather")
    return ResponseFunctionWebSearch(id=id, type="web_search_call", status=status, action=action)


def hosted_calls(suffix: str) -> list[ResponseOutputItem]:
    """Build a call of each hosted tool, with ids that end in `suffix`."""
    return [
        web_search(id=f"ws_{suffix}", status="completed"),
        ResponseFileSearchToolCall(
            id=f"fs_{suffix}", type="file_search_call", status="completed", queries=["wsl"], results=None
        ),
        ResponseCodeInterpreterToolCall(
            id=f"ci_{suffix}",
            type="code_interpreter_call",
            status="completed",
            code="range(30)",
            container_id="cntr_1",
            outputs=None,
        ),
        ImageGenerationCall(id=f"ig_{suffix}", type="image_generation_call", status="completed", result="aGVsbG8="),
        McpListTools(id=f"mcpl_{suffix}", type="mcp_list_tools", server_label="machines", tools=[]),
        McpCall(
            id=f"mcp_{suffix}", type="mcp_call", server_label="machines", name="count", arguments="{}", output="30"
        ),
    ]
