// Abort a stream and repeat it, and let another request time out and be retried by the client.
import OpenAI from "openai";

const headers = { "Idempotency-Key": "aborted" };
const client = new OpenAI({ maxRetries: 0 });
const conversation = await client.conversations.create({});
const streamed = { model: "stall", conversation: conversation.id, input: "one", stream: true };
const controller = new AbortController();
const stream = await client.responses.create(streamed, { headers, signal: controller.signal });
for await (const _ of stream) {
  controller.abort();
}
const repeated = client.responses.create(streamed, { headers });

let attempts = 0;
const impatient = new OpenAI({
  maxRetries: 2,
  timeout: 5000,
  fetch: (url, options) => {
    attempts += 1;
    if (attempts === 2) {
      console.log("retrying");
    }
    return fetch(url, options);
  },
});
const other = await client.conversations.create({});
const answer = await impatient.responses.create({ model: "stall", conversation: other.id, input: "one" });
let last;
for await (const event of await repeated) {
  last = event;
}
console.log(
  JSON.stringify({
    conversations: [conversation.id, other.id],
    answers: [last.response.output[0].content[0].text, answer.output_text],
    isAborted: controller.signal.aborted,
  }),
);
