import { ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { ChatOpenAI } from "@langchain/openai";
import { z } from "zod";

const [mode, conversation] = process.argv.slice(2);
const numbers = { first: "1", second: "2" };
let chat = new ChatOpenAI({
  model: mode === "tools" ? "agent" : "echo",
  useResponsesApi: true,
  modelKwargs: { conversation },
});
if (mode === "tools") {
  chat = chat.bindTools(
    Object.keys(numbers).map((name) => tool(() => numbers[name], { name, description: name, schema: z.object({}) })),
  );
}

const ask = async (text) => {
  if (mode === "stream") {
    let streamed = "";
    for await (const chunk of await chat.stream(text)) {
      streamed += chunk.text;
    }
    return streamed;
  }
  let answer = await chat.invoke(text);
  while (answer.tool_calls.length) {
    const outputs = answer.tool_calls.map(
      ({ id, name }) => new ToolMessage({ tool_call_id: id, content: numbers[name] }),
    );
    answer = await chat.invoke(outputs);
  }
  return answer.text;
};

console.log(JSON.stringify([await ask("one"), await ask("two")]));
