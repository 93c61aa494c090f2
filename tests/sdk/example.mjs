// OpenAI's example request, then what else a conversation can do. Prints what the service answered, as JSON.
import OpenAI from "openai";

const client = new OpenAI({ maxRetries: 0 });
const answers = {};

answers.created = await client.conversations.create({
  metadata: { topic: "demo" },
  items: [{ type: "message", role: "user", content: "Hello!" }],
});
const id = answers.created.id;
answers.retrieved = await client.conversations.retrieve(id);
answers.updated = await client.conversations.update(id, { metadata: { topic: "demo", step: "2" } });

const listed = await client.conversations.items.list(id, { include: ["message.input_image.image_url"] });
answers.listed = listed.data;
const added = await client.conversations.items.create(id, {
  items: [
    { type: "message", role: "assistant", content: "Hi." },
    { type: "message", role: "user", content: "How are you?" },
  ],
});
answers.added = added.data;
answers.item = await client.conversations.items.retrieve(added.last_id, { conversation_id: id });
answers.paged = [];
for await (const item of client.conversations.items.list(id, { limit: 1, order: "asc" })) {
  answers.paged.push(item);
}
answers.afterDeletion = await client.conversations.items.delete(added.last_id, { conversation_id: id });

const other = await client.conversations.create();
answers.deleted = await client.conversations.delete(other.id);
try {
  await client.conversations.retrieve(other.id);
} catch (error) {
  answers.error = {
    isNotFound: error instanceof OpenAI.NotFoundError,
    status: error.status,
    message: error.error.message,
    hasRequestID: error.requestID.startsWith("req_"),
  };
}
console.log(JSON.stringify(answers));
