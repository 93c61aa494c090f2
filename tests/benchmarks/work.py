"""The rows of the table: what is asked of every service, and how its answer is checked once."""

import json
from dataclasses import dataclass
from typing import Any, Literal

from tests.benchmarks.wrk import Request

EXAMPLE = {
    "metadata": {"topic": "demo"},
    "items": [{"type": "message", "role": "user", "content": "Hello!"}],
}
EARLIER = {"type": "message", "role": "user", "content": "Said before."}  # what conversations begin with
TEXT = ("What was said in a message of five hundred characters. " * 10)[:500]
PAGE = 20


@dataclass(frozen=True)
class Work:
    name: str
    verb: Literal["create", "retrieve", "list", "append", "find"]
    items: int = 0  # in one request
    size: int = 0  # items of each conversation that is asked for or appended to
    crowd: int = 64  # conversations that are taken in turn
    is_ours_only: bool = False

    @property
    def writes(self) -> bool:
        return self.verb in ("create", "append")

    def request(self, conversation_id: str = "") -> Request:
        return Request("POST" if self.writes else "GET", self._path(conversation_id), self._body)

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
    """One is that of OpenAI's example, several have 500 characters each."""
    [message] = EXAMPLE["items"]
    return [message] if count == 1 else [{**message, "content": TEXT}] * count


# Appends make conversations longer, so that many have to share them where each is to stay short.
MANY = 2048
WORK = [
    Work("create, no items", "create"),
    Work("create, 1 item", "create", items=1),
    Work("create, 20 items", "create", items=20),
    Work("retrieve", "retrieve", size=20),
    Work("list 20 of 20", "list", size=20, is_ours_only=True),
    Work("list 20 of 1,000", "list", size=1_000),
    Work("list 20 of 10,000", "list", size=10_000),
    Work("append 1 to 20", "append", items=1, size=20, crowd=MANY, is_ours_only=True),
    Work("append 1 to 1,000", "append", items=1, size=1_000),
    Work("append 1 to 10,000", "append", items=1, size=10_000),
    Work("append 1 to 1,000, one alone", "append", items=1, size=1_000, crowd=1),
    Work("append 20 to 20", "append", items=20, size=20, crowd=MANY, is_ours_only=True),
    Work("append 20 to 1,000", "append", items=20, size=1_000),
    Work("append 20 to 10,000", "append", items=20, size=10_000),
    Work("append 20 to 1,000, one alone", "append", items=20, size=1_000, crowd=1),
    Work("find by metadata", "find", size=20, is_ours_only=True),
]
