"""What the scripts of this folder have in common: each takes two turns by one library, and prints the answers as JSON.

OPENAI_BASE_URL and OPENAI_API_KEY name the service. The arguments are the mode and the id of the conversation.
"""

import json
import os
import sys
from collections.abc import Callable

MODE, CONVERSATION = sys.argv[1:3]  # The mode is "plain", "stream" or "tools".
MODEL = "agent" if MODE == "tools" else "echo"
BASE_URL, API_KEY = os.environ["OPENAI_BASE_URL"], os.environ["OPENAI_API_KEY"]


def first() -> str:
    """Return the first number."""
    return "1"


def second() -> str:
    """Return the second number."""
    return "2"


TOOLS: dict[str, Callable[[], str]] = {"first": first, "second": second}


def take_turns(ask: Callable[[str], str]) -> None:
    print(json.dumps([ask("one"), ask("two")]))
