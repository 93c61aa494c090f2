"""The code blocks about the Python API, run on the database of the tests. Other tests run them in a new project."""

import ast
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User

from conversations.metadata_index import find_differences
from conversations.models import Conversation
from tests.docs.pages import DOCS, Block, read_blocks

MESSAGE = {"type": "message", "status": "completed"}
HELLO = {**MESSAGE, "role": "user", "content": [{"type": "input_text", "text": "Hello!"}]}
TEXT = {"type": "output_text", "text": "Hi.", "annotations": [], "logprobs": []}
HI = {**MESSAGE, "role": "assistant", "content": [TEXT]}


@pytest.fixture
def blocks() -> list[Block]:
    User.objects.create_user("ann")
    return read_blocks(DOCS / "django-integration.md", under="The Python API")


def run(block: Block, namespace: dict[str, Any]) -> list[Any]:
    """Run the statements of a block, and return the values of those that are expressions."""
    values = []
    for statement in ast.parse(block.text).body:
        if isinstance(statement, ast.Expr):
            values.append(eval(compile(ast.Expression(statement.value), str(block), "eval"), namespace))
        else:
            exec(compile(ast.Module([statement], []), str(block), "exec"), namespace)
    return values


def test_every_block_about_the_python_api_runs_on_every_database(transactional_db, blocks):
    namespace: dict[str, Any] = {}
    outputs = StringIO()
    expected = []
    for block in blocks:
        if block.language == "python":
            with redirect_stdout(outputs):
                run(block, namespace)
        else:
            expected.append(block.text)
    assert outputs.getvalue() == "".join(expected)
    assert len(expected) > 1
    assert find_differences(Conversation.objects.values_list("pk", flat=True)) == {}


def test_first_lines_about_the_python_api_have_the_described_values(transactional_db, blocks):
    namespace: dict[str, Any] = {}
    run(blocks[0], namespace)
    as_input, fork, _, matching, with_metadata, page = run(blocks[1], namespace)
    conversation = namespace["conversation"]
    assert as_input == [HELLO, HI]
    assert (fork.forked_from, fork.metadata, fork.as_input()) == (conversation.pk, {"topic": "fork"}, [HELLO, HI])
    assert list(matching) == list(with_metadata) == [conversation]
    assert matching[0].metadata == {"topic": "demo", "status": "open"}
    assert page.rows == [fork, conversation]
