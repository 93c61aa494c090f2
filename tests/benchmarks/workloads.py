"""The workloads of the benchmark: one kind of request each, on conversations of a given length."""

import json
from dataclasses import dataclass
from typing import Any, Literal

from tests.benchmarks.wrk import Request

EXAMPLE = {
    "metadata": {"topic": "demo"},
    "items": [{"type": "message", "role": "user", "content": "Hello!"}],
}
SEED_ITEM = {"type": "message", "role": "user", "content": "An earlier message."}
TEXT = ("A message with a content of five hundred characters. " * 10)[:500]
PAGE = 20


@dataclass(frozen=True)
class Workload:
    name: str
    verb: Literal["create", "retrieve", "list", "append", "find"]
    items: int = 0  # per request
    size: int = 0  # items of each conversation that is read or appended to
    conversation_count: int = 64  # the requests use these conversations in turn

    @property
    def is_write(self) -> bool:
        return self.verb in ("create", "append")

    def request(self, conversation_id: str = "") -> Request:
        return Request("POST" if self.is_write else "GET", self._path(conversation_id), self._body)

    @property
    def _body(self) -> str | None:
        if self.verb == "create":
            return json.dumps({} if not self.items else {**EXAMPLE, "items": messages(self.items)})
        if self.verb == "append":
            return json.dumps({"items": messages(self.items)})
        return None

    def _path(self, conversation_id: str) -> str:
        match self.verb:
            case "create":
                return "/conversations"
            case "retrieve":
                return f"/conversations/{conversation_id}"
            case "list":
                return f"/conversations/{conversation_id}/items?limit={PAGE}&order=desc"
            case "append":
                return f"/conversations/{conversation_id}/items"
            case "find":
                return f"/conversations?limit={PAGE}&metadata[topic]=demo"


def messages(count: int) -> list[dict[str, Any]]:
    """Return OpenAI's example message, or several messages of 500 characters each."""
    [message] = EXAMPLE["items"]
    return [message] if count == 1 else [{**message, "content": TEXT}] * count


# Appends make conversations longer: many conversations share them, so that each stays short.
MANY = 2048
WORKLOADS = [
    Workload("create, no items", "create"),
    Workload("create, 1 item", "create", items=1),
    Workload("create, 20 items", "create", items=20),
    Workload("retrieve", "retrieve", size=20),
    Workload("list 20 of 20", "list", size=20),
    Workload("list 20 of 1,000", "list", size=1_000),
    Workload("list 20 of 10,000", "list", size=10_000),
    Workload("append 1 to 20", "append", items=1, size=20, conversation_count=MANY),
    Workload("append 1 to 1,000", "append", items=1, size=1_000),
    Workload("append 1 to 10,000", "append", items=1, size=10_000),
    Workload("append 1 to 1,000, same conversation", "append", items=1, size=1_000, conversation_count=1),
    Workload("append 20 to 20", "append", items=20, size=20, conversation_count=MANY),
    Workload("append 20 to 1,000", "append", items=20, size=1_000),
    Workload("append 20 to 10,000", "append", items=20, size=10_000),
    Workload("append 20 to 1,000, same conversation", "append", items=20, size=1_000, conversation_count=1),
    Workload("find by metadata", "find", size=20),
]
