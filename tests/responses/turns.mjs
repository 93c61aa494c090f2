// Take two turns, the second one as a stream, and meanwhile try a third one.
import OpenAI from "openai";

const client = new OpenAI({ maxRetries: 0 });
const conversation = await client.conversations.create({});
const first = await client.responses.create({ model: "echo", conversation: conversation.id, input: "one" });
const stream = await client.responses.create({
  model: "echo",
  conversation: { id: conversation.id },
  input: "two",
  stream: true,
});
let last;
for await (const event of stream) {
  last = event;
}
const other = await client.conversations.create({});
const arguments_ = { model: "echo", conversation: other.id, input: "one" };
const results = await Promise.allSettled([1, 2, 3, 4].map(() => client.responses.create(arguments_)));
const texts = async (id) => {
  const stored = [];
  for await (const item of client.conversations.items.list(id, { order: "asc" })) {
    stored.push(item.content[0].text);
  }
  return stored;
};
console.log(
  JSON.stringify({
    answers: [first.output_text, last.response.output[0].content[0].text],
    stored: await texts(conversation.id),
    race: results.map((each) => each.reason?.code ?? each.status),
    storedInRace: await texts(other.id),
  }),
);
