import asyncio

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIResponsesModel, OpenAIResponsesModelSettings
from run import CONVERSATION, MODE, MODEL, TOOLS, take_turns

settings = OpenAIResponsesModelSettings(openai_conversation_id=CONVERSATION)
agent = Agent(
    OpenAIResponsesModel(MODEL), model_settings=settings, tools=list(TOOLS.values()) if MODE == "tools" else []
)


async def stream(text: str) -> str:
    async with agent.run_stream(text) as result:
        return "".join([part async for part in result.stream_text(delta=True)])


def ask(text: str) -> str:
    return asyncio.run(stream(text)) if MODE == "stream" else agent.run_sync(text).output


take_turns(ask)
