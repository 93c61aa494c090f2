import json

import pytest
from django.contrib.admin.utils import quote
from django.urls import reverse

from conversations.models import Conversation
from conversations.schema.items import validate_items
from tests.admin.transcript.pages import url


@pytest.fixture
def with_nul(alice) -> Conversation:
    part = {"type": "input_text", "text": "mark*down* M\0"}
    items = [
        {"role": "user", "content": [part], "x\0": {"y\0": "z\0"}, "id": "msg_1"},
        {"type": "function_call", "call_id": "c\0", "name": "F\0", "arguments": '{"a\0": "\\u0000"}'},
        {"type": "function_call_output", "call_id": "c\0", "output": "W\0s\0l"},
        {"type": "local_shell_call_output", "id": "lsho_1", "output": "T\0"},
    ]
    return Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"}, items=validate_items(items))


def test_pages_show_the_replacement_character_for_nul(admin_client, with_nul):
    response = admin_client.get(url(with_nul), {"view": "rendered"})
    assert b"\0" not in response.content
    text = response.content.decode()
    for shown in (
        "M\ufffd",
        "x\ufffd",
        "y\ufffd",
        "z\ufffd",
        "c\ufffd",
        "F\ufffd",
        "a\ufffd",
        "W\ufffds\ufffdl",
        "T\ufffd",
    ):
        assert shown in text, shown
    assert "<em>down</em>" in text


def test_raw_view_and_download_have_nul_escaped(admin_client, with_nul):
    text = admin_client.get(url(with_nul), {"view": "raw"}).content.decode()
    assert "\0" not in text
    assert "W\\u0000s\\u0000l" in text
    download = reverse("admin:conversations_conversation_item", args=[quote(with_nul.pk), "msg_1"])
    assert json.loads(admin_client.get(download).content) == with_nul.items.get(item_id="msg_1").data
