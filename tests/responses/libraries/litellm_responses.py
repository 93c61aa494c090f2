from typing import Any

import litellm
from run import API_KEY, BASE_URL, CONVERSATION, MODE, MODEL, TOOLS, take_turns

EMPTY = {"type": "object", "properties": {}}
options: dict[str, Any] = {"api_base": BASE_URL, "api_key": API_KEY, "extra_body": {"conversation": CONVERSATION}}
if MODE == "tools":
    options["tools"] = [{"type": "function", "name": name, "parameters": EMPTY} for name in TOOLS]


def ask(text: str) -> str:
    if MODE == "stream":
        events = litellm.responses(model=f"openai/{MODEL}", input=text, stream=True, **options)
        return "".join(event.delta for event in events if event.type == "response.output_text.delta")
    answer = litellm.responses(model=f"openai/{MODEL}", input=text, **options)
    while calls := [item for item in answer.output if item.type == "function_call"]:
        outputs = [
            {"type": "function_call_output", "call_id": call.call_id, "output": TOOLS[call.name]()} for call in calls
        ]
        answer = litellm.responses(model=f"openai/{MODEL}", input=outputs, **options)
    return answer.output_text


take_turns(ask)
