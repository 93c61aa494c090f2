// Send OpenAI's example request and requests to all other endpoints, and print the responses as JSON.
import OpenAI from "openai";

const client = new OpenAI({ maxRetries: 0 });
const responses = {};

responses.created = await client.conversations.create({
  metadata: { topic: "demo" },
  items: [{ type: "message", role: "user", content: "Hello!" }],
});
const id = responses.created.id;
responses.retrieved = await client.conversations.retrieve(id);
responses.updated = await client.conversations.update(id, { metadata: { topic: "demo", step: "2" } });

const page = await client.conversations.items.list(id, { include: ["message.input_image.image_url"] });
responses.listed = page.data;
const added = await client.conversations.items.create(id, {
  items: [
    { type: "message", role: "assistant", content: "Hi." },
    { type: "message", role: "user", content: "How are you?" },
  ],
});
responses.added = added.data;
responses.item = await client.conversations.items.retrieve(added.last_id, { conversation_id: id });
responses.paged = [];
for await (const item of client.conversations.items.list(id, { limit: 1, order: "asc" })) {
  responses.paged.push(item);
}
responses.afterDeletion = await client.conversations.items.delete(added.last_id, { conversation_id: id });

const other = await client.conversations.create();
responses.deleted = await client.conversations.delete(other.id);
try {
  await client.conversations.retrieve(other.id);
} catch (error) {
  responses.error = {
    isNotFound: error instanceof OpenAI.NotFoundError,
    status: error.status,
    message: error.error.message,
    hasRequestID: error.requestID.startsWith("req_"),
  };
}
console.log(JSON.stringify(responses));
