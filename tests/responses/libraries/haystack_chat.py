from haystack.components.generators.chat import OpenAIResponsesChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.tools import Tool
from run import CONVERSATION, MODE, MODEL, TOOLS, take_turns

EMPTY = {"type": "object", "properties": {}}
pieces: list[str] = []
generator = OpenAIResponsesChatGenerator(
    model=MODEL,
    generation_kwargs={"conversation": CONVERSATION},
    streaming_callback=(lambda chunk: pieces.append(chunk.content)) if MODE == "stream" else None,
    tools=[Tool(name, name, EMPTY, function) for name, function in TOOLS.items()] if MODE == "tools" else None,
)


def ask(text: str) -> str:
    pieces.clear()
    answer = generator.run([ChatMessage.from_user(text)])["replies"][0]
    if MODE == "stream":
        return "".join(pieces)
    while answer.tool_calls:
        outputs = [ChatMessage.from_tool(TOOLS[call.tool_name](), origin=call) for call in answer.tool_calls]
        answer = generator.run(outputs)["replies"][0]
    return answer.text


take_turns(ask)
