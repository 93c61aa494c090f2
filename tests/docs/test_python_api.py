"""The code blocks about the Python API, run on the database of the tests. Other tests run them in a new project."""

from contextlib import redirect_stdout
from io import StringIO
from typing import Any

from django.contrib.auth.models import User

from conversations.metadata_index import find_differences
from conversations.models import Conversation
from tests.docs.pages import DOCS, read_blocks


def test_every_block_about_the_python_api_runs_on_every_database(transactional_db):
    User.objects.create_user("ann")
    namespace: dict[str, Any] = {}
    outputs = StringIO()
    expected = []
    for block in read_blocks(DOCS / "django-integration.md", under="The Python API"):
        if block.language == "python":
            with redirect_stdout(outputs):
                exec(compile(block.text, str(block), "exec"), namespace)
        else:
            expected.append(block.text)
    assert outputs.getvalue() == "".join(expected)
    assert len(expected) > 1
    assert find_differences(Conversation.objects.values_list("pk", flat=True)) == {}
