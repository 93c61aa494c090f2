"""The documented way to send keys from TypeScript is accepted by the compiler, and the client then sends them."""

import json
import os
import subprocess

from tests.docs.pages import DOCS, read_blocks
from tests.waiting import SECONDS

# Print the keys of two requests, and of the repetition of the second one.
SCRIPT = """
const keys: (string | null)[] = [];
const client = new Client({
  baseURL: "http://127.0.0.1:1/v1",
  fetch: async (_url, init) => {
    keys.push(new Headers(init?.headers).get("idempotency-key"));
    return Response.json({ id: "conv_1" }, { status: keys.length === 2 ? 409 : 200 });
  },
});
await client.conversations.create();
await client.conversations.create();
console.log(JSON.stringify(keys));
"""


def run(directory, *command):
    ran = subprocess.run(
        command,
        cwd=directory,
        env=os.environ | {"OPENAI_API_KEY": "sk-conv-1"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_documented_class_compiles_and_sends_a_key_with_each_request(node_directory):
    [block] = [block for block in read_blocks(DOCS / "clients.md") if block.language == "typescript"]
    (node_directory / "keys.mts").write_text(block.text + SCRIPT)
    options = ["--strict", "--skipLibCheck", "--target", "es2022", "--module", "nodenext"]
    run(node_directory, "node_modules/.bin/tsc", *options, "keys.mts")
    first, second, repeated = json.loads(run(node_directory, "node", "keys.mjs"))
    assert None not in (first, second)
    assert first != second == repeated
