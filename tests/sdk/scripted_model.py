from collections.abc import AsyncIterator
from typing import Any

from agents import Model, ModelResponse, Usage
from openai.types.responses import (
    ResponseFunctionToolCall,
    ResponseOutputItem,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseReasoningItem,
)
from openai.types.responses.response_reasoning_item import Summary


class ScriptedModel(Model):
    """Model that returns one of the given outputs per call, and records its inputs."""

    def __init__(self, *outputs: list[ResponseOutputItem]) -> None:
        self._outputs = list(outputs)
        self.inputs: list[Any] = []

    async def get_response(self, system_instructions: Any, input: Any, *args: Any, **kwargs: Any) -> ModelResponse:
        self.inputs.append(input)
        return ModelResponse(output=self._outputs.pop(0), usage=Usage(), response_id=None)

    def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        raise NotImplementedError


def assistant_message(text: str, *, id: str) -> ResponseOutputMessage:
    part = ResponseOutputText(type="output_text", text=text, annotations=[], logprobs=[])
    return ResponseOutputMessage(id=id, type="message", role="assistant", status="completed", content=[part])


def reasoning_item(summary: str, *, id: str, encrypted_content: str) -> ResponseReasoningItem:
    summaries = [Summary(type="summary_text", text=summary)]
    return ResponseReasoningItem(id=id, type="reasoning", summary=summaries, encrypted_content=encrypted_content)


def tool_call(name: str, arguments: str, *, id: str, call_id: str) -> ResponseFunctionToolCall:
    return ResponseFunctionToolCall(
        id=id, type="function_call", name=name, arguments=arguments, call_id=call_id, status="completed"
    )
