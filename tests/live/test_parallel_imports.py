"""Imports of the same conversations at once, in the same and in opposite orders: each conversation is added once."""

import re
import subprocess
import sys

import pytest

from conversations.models import Conversation
from conversations.schema.items import validate_items
from conversations.transfer.exporter import Export
from tests.live.service import ROOT, clean_environment, manage

CONVERSATIONS = 150  # more than one transaction imports


def write_exports(alice, directory):
    """Write the same conversations twice, in opposite orders."""
    for number in range(CONVERSATIONS):
        items = validate_items([{"role": "user", "content": f"{number}"}] * 2)
        Conversation.objects.create_with_items(owner=alice, metadata={"number": str(number)}, items=items)
    conversations = [b"".join(Export(Conversation.objects.filter(pk=row.pk))) for row in Conversation.objects.all()]
    paths = directory / "forwards.jsonl", directory / "backwards.jsonl"
    paths[0].write_bytes(b"".join(conversations))
    paths[1].write_bytes(b"".join(reversed(conversations)))
    return paths


@pytest.mark.slow
def test_imports_at_once_add_each_conversation_once_and_succeed(alice, database, tmp_path):
    forwards, backwards = write_exports(alice, tmp_path)
    variables = {**database.variables, "SECRET_KEY": "x"}
    assert manage("migrate", **variables).returncode == 0
    imports = [
        subprocess.Popen(
            [sys.executable, "manage.py", "import_conversations", str(path), "--create-users"],
            cwd=ROOT,
            env=clean_environment(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for path in (forwards, forwards, backwards)
    ]
    outputs = [process.communicate() for process in imports]
    assert [(process.returncode, errors) for process, (_, errors) in zip(imports, outputs, strict=True)] == [
        (0, "")
    ] * 3
    counts = [
        re.fullmatch(r"Added (\d+) conv.* and \d+ items?\. (\d+) were already there\.\n", text) for text, _ in outputs
    ]
    assert [int(added) + int(present) for added, present in (match.groups() for match in counts)] == [CONVERSATIONS] * 3
    with database.open() as alias:
        assert Conversation.objects.using(alias).count() == CONVERSATIONS
