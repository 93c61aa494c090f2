import { createOpenAI } from "@ai-sdk/openai";
import { generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const [mode, conversation] = process.argv.slice(2);
const numbers = { first: "1", second: "2" };
const options = {
  model: createOpenAI({ baseURL: process.env.OPENAI_BASE_URL })(mode === "tools" ? "agent" : "echo"),
  providerOptions: { openai: { conversation } },
  stopWhen: stepCountIs(5),
  // Otherwise each step would send the prompt again, which the conversation has already.
  prepareStep: ({ stepNumber, messages }) => (stepNumber ? { messages: messages.slice(-1) } : {}),
};
if (mode === "tools") {
  options.tools = Object.fromEntries(
    Object.entries(numbers).map(([name, output]) => [
      name,
      tool({ description: name, inputSchema: z.object({}), execute: () => output }),
    ]),
  );
}

const ask = async (prompt) =>
  mode === "stream" ? await streamText({ ...options, prompt }).text : (await generateText({ ...options, prompt })).text;

console.log(JSON.stringify([await ask("one"), await ask("two")]));
