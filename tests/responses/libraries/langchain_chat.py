from typing import Any

from langchain_core.messages import AIMessage, ToolMessage
from langchain_openai import ChatOpenAI
from run import CONVERSATION, MODE, MODEL, TOOLS, take_turns

chat: Any = ChatOpenAI(model=MODEL, use_responses_api=True, model_kwargs={"conversation": CONVERSATION})
if MODE == "tools":
    chat = chat.bind_tools(list(TOOLS.values()))


def text_of(message: AIMessage) -> str:
    return "".join(block["text"] for block in message.content_blocks if block["type"] == "text")


def ask(text: str) -> str:
    if MODE == "stream":
        return "".join(text_of(chunk) for chunk in chat.stream(text))
    answer = chat.invoke(text)
    while answer.tool_calls:
        answer = chat.invoke(
            [ToolMessage(TOOLS[each["name"]](), tool_call_id=each["id"]) for each in answer.tool_calls]
        )
    return text_of(answer)


take_turns(ask)
