import pytest
from django.db.models.fields.json import KT

from conversations.models import Conversation

# The escape of U+0000 alone, beside others, and after escaped backslashes, where "u0000" may be plain text.
TEXTS = ["W\0s\0l", "\0", "\0\0", "\\u0000", "\\\0", "\\\\u0000\0", "\\\\\0", '"\0"', "\n\0\\", "\ufffd", "plain", ""]


def shown(text: str) -> str:
    return text.replace("\0", "\ufffd")


@pytest.mark.parametrize("text", TEXTS)
def test_key_of_json_with_nul_has_the_replacement_character(alice, text):
    item = {"id": "x_1", "type": "unheard_of", "output": text, "inner": {"a\0b": [1, text]}}
    conversation = Conversation.objects.create_with_items(owner=alice, items=[item], validate=False)
    texts = conversation.items.values_list(KT("data__output"), KT("data__inner__a\ufffdb__1"))
    assert list(texts) == [(shown(text), shown(text))]
    assert list(conversation.items.values_list("data", flat=True)) == [item]
