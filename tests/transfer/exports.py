from conversations.models import Conversation
from conversations.schema.items import validate_items
from conversations.transfer.exporter import Export

ODD_METADATA = {
    "🎉": "🙏🏽 thanks",
    'the "best" one': "O'Brien\n\t",
    "items[0]": "[1, 2]",
    "größe": "\u2028\\",
    "": "",
    "z": "1",
    "a": "2",
}


def export(**options) -> bytes:
    return b"".join(Export(Conversation.objects.all(), **options))


def messages(*texts: str) -> list[dict]:
    return validate_items([{"role": "user", "content": text} for text in texts])
