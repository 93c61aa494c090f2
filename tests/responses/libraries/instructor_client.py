import instructor
from openai import OpenAI
from pydantic import BaseModel
from run import CONVERSATION, MODE, take_turns


class Seen(BaseModel):
    count: int


client = instructor.from_openai(OpenAI(), mode=instructor.Mode.RESPONSES_TOOLS)


def ask(text: str) -> str:
    options = {"model": "structured", "conversation": CONVERSATION}
    messages = [{"role": "user", "content": text}]
    if MODE == "stream":
        *_, last = client.create_partial(response_model=Seen, messages=messages, **options)
        return str(last.count)
    return str(client.create(response_model=Seen, messages=messages, **options).count)


take_turns(ask)
