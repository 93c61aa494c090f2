import { Agent, OpenAIResponsesModel, Runner, tool } from "@openai/agents";
import OpenAI from "openai";
import { z } from "zod";

const [mode, conversationId] = process.argv.slice(2);
const numbers = { first: "1", second: "2" };
const tools = Object.entries(numbers).map(([name, output]) =>
  tool({ name, description: name, parameters: z.object({}), execute: () => output }),
);
const agent = new Agent({
  name: "Guide",
  model: new OpenAIResponsesModel(new OpenAI(), mode === "tools" ? "agent" : "echo"),
  tools: mode === "tools" ? tools : [],
});
const runner = new Runner({ tracingDisabled: true });

const ask = async (text) => {
  const result = await runner.run(agent, text, { conversationId, stream: mode === "stream" });
  await result.completed;
  return result.finalOutput;
};

console.log(JSON.stringify([await ask("one"), await ask("two")]));
