// Lose the first answer to each request, so that the client repeats it. Print the id of what is left, how many answers were lost,
// and how many of their repetitions were answered again.
import OpenAI from "openai";

const hasKey = process.argv[2] === "true";
let losesAnswers = hasKey;
let lost = 0;
let replayed = 0;
const client = new OpenAI({
  fetch: async (url, init) => {
    const response = await fetch(url, init);
    replayed += response.headers.get("idempotency-replayed") === "true";
    if (losesAnswers && new Headers(init.headers).get("x-stainless-retry-count") === "0") {
      await response.text();
      lost += 1;
      throw new TypeError("The answer was lost.");
    }
    return response;
  },
});
if (hasKey) {
  client.idempotencyHeader = "Idempotency-Key";
}
const message = { type: "message", role: "user", content: "Hello!" };

const conversation = await client.conversations.create({ metadata: { topic: "first" }, items: [message] });
losesAnswers = true;
let added;
for (let count = 0; count < 2; count++) {
  added = await client.conversations.items.create(conversation.id, { items: [message, message] });
}
await client.conversations.update(conversation.id, { metadata: { topic: "second" } });
await client.conversations.items.delete(added.last_id, { conversation_id: conversation.id });
losesAnswers = hasKey;
const other = await client.conversations.create();
losesAnswers = true;
await client.conversations.delete(other.id);
console.log(conversation.id, lost, replayed);
