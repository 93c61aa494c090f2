from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai import OpenAIResponses
from run import BASE_URL, CONVERSATION, MODE, MODEL, TOOLS, take_turns

# The library refuses names of models that it does not know, but sends another one that it gets as a further argument.
arguments = {"conversation": CONVERSATION, "model": MODEL}
llm = OpenAIResponses(model="gpt-4o", api_base=BASE_URL, store=True, additional_kwargs=arguments)
tools = [FunctionTool.from_defaults(function) for function in TOOLS.values()]


def ask(text: str) -> str:
    messages = [ChatMessage(role="user", content=text)]
    if MODE == "stream":
        return "".join(chunk.delta or "" for chunk in llm.stream_chat(messages))
    if MODE == "plain":
        return llm.chat(messages).message.content or ""
    answer = llm.chat_with_tools(tools, chat_history=messages, allow_parallel_tool_calls=True)
    while calls := llm.get_tool_calls_from_response(answer, error_on_no_tool_call=False):
        outputs = [
            ChatMessage(role="tool", content=TOOLS[each.tool_name](), additional_kwargs={"tool_call_id": each.tool_id})
            for each in calls
        ]
        answer = llm.chat_with_tools(tools, chat_history=outputs, allow_parallel_tool_calls=True)
    return answer.message.content or ""


take_turns(ask)
