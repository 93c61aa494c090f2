import asyncio

from agent_framework import Agent
from agent_framework.openai import OpenAIChatClient
from run import BASE_URL, CONVERSATION, MODE, MODEL, TOOLS, take_turns

agent = Agent(OpenAIChatClient(MODEL, base_url=BASE_URL), tools=list(TOOLS.values()) if MODE == "tools" else [])


async def run(text: str) -> str:
    session = agent.get_session(CONVERSATION)
    if MODE == "stream":
        stream = agent.run(text, session=session, stream=True)
        assert len([update async for update in stream if update.text]) > 1
        return (await stream.get_final_response()).text
    return (await agent.run(text, session=session)).text


with asyncio.Runner() as runner:
    take_turns(lambda text: runner.run(run(text)))
