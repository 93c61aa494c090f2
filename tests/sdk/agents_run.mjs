// Run an agent for three turns, and print what they produced and what the session returned for the last of them.
import { Agent, OpenAIConversationsSession, Runner, computerTool, tool } from "@openai/agents";
import { ScriptedModel, functionCall } from "@openai/agents/testing";
import OpenAI from "openai";
import { z } from "zod";

const userMessage = (text) => ({ type: "message", role: "user", content: [{ type: "input_text", text }] });
const assistantMessage = (text) => ({
  type: "message",
  role: "assistant",
  status: "completed",
  content: [{ type: "output_text", text, providerData: { annotations: [], logprobs: [] } }],
});
const reasoning = (text) => ({
  type: "reasoning",
  content: [{ type: "input_text", text }],
  providerData: { encrypted_content: `signature of ${text}` },
});
const hostedCall = (name, id, providerData, output) => ({
  type: "hosted_tool_call",
  id,
  name,
  status: "completed",
  output,
  providerData: { id, type: name, ...providerData },
});
const model = new ScriptedModel([
  [
    reasoning("Ask all machines."),
    hostedCall("web_search_call", "ws_1", { action: { type: "search", query: "wsl" } }),
    hostedCall("file_search_call", "fs_1", { queries: ["wsl"], results: [{ file_id: "file_1", text: "WSL 2" }] }),
    hostedCall("code_interpreter_call", "ci_1", {
      code: "range(30)",
      container_id: "cntr_1",
      outputs: [{ type: "logs", logs: "30" }],
    }),
    hostedCall("image_generation_call", "ig_1", {}, "aGVsbG8="),
    hostedCall("mcp_list_tools", "mcpl_1", { server_label: "machines", tools: [] }),
    hostedCall("mcp_call", "mcp_1", { server_label: "machines", name: "count", arguments: "{}", error: null }, "30"),
    { type: "computer_call", id: "cu_1", callId: "call_screen", status: "completed", action: { type: "screenshot" } },
    ...Array.from({ length: 30 }, (_, machine) =>
      functionCall("listLinuxSystems", { machine }, { callId: `call_${machine}`, id: `fc_${machine}` }),
    ),
  ],
  [reasoning("All have answered."), assistantMessage("All have WSL.")],
  [reasoning("Count them."), assistantMessage("Thirty.")],
  [assistantMessage("You are welcome.")],
]);
const listLinuxSystems = tool({
  name: "listLinuxSystems",
  description: "List the Linux systems of a machine.",
  parameters: z.object({ machine: z.number() }),
  // wsl.exe writes UTF-16, and this is how a program reads it that expects ASCII.
  execute: ({ machine }) => `machine ${machine}: W\0s\0l\0`,
});
const refuse = () => {
  throw new Error("This computer can only be looked at.");
};
const screen = Object.fromEntries(
  ["click", "doubleClick", "scroll", "type", "wait", "move", "keypress", "drag"].map((action) => [action, refuse]),
);
const computer = computerTool({ computer: { ...screen, screenshot: () => "aGVsbG8=" } });
const agent = new Agent({ name: "Assistant", model, tools: [listLinuxSystems, computer] });
const runner = new Runner({ tracingDisabled: true });
const client = new OpenAI({ maxRetries: 0 });
const session = new OpenAIConversationsSession({ client });

// Items as they are sent to OpenAI, but without the ids that the session removes.
const convert = (items) => session.prepareHistoryItemsForPersistenceComparison(items);
const produced = [];
const run = async (text, options) => {
  const question = userMessage(text);
  const result = await runner.run(agent, [question], options);
  await result.completed;
  produced.push(...convert([question, ...result.newItems.map((item) => item.rawItem)]));
};
let error;
try {
  await run("Who has WSL?", { session });
  await run("How many?", { session, stream: true });
  const resumed = new OpenAIConversationsSession({ client, conversationId: session.sessionId });
  await run("Thank you.", { session: resumed });
} catch ({ status, message }) {
  error = { status, message };
}
const replayed = convert(model.lastCall.request.input);
console.log(JSON.stringify({ conversation: session.sessionId, produced, replayed, error }));
