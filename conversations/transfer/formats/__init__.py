"""The file formats of exports, by name."""

from collections.abc import Mapping
from typing import Literal

from conversations.transfer.formats.base import FileFormat
from conversations.transfer.formats.chat_messages import ChatMessages
from conversations.transfer.formats.csv_rows import ConversationRows, ItemRows
from conversations.transfer.formats.html import HTMLFile
from conversations.transfer.formats.json_lines import JSONLines
from conversations.transfer.formats.markdown import MarkdownFile

Format = Literal["jsonl", "csv", "items-csv", "messages", "markdown", "html"]

FORMATS: Mapping[Format, type[FileFormat]] = {
    "jsonl": JSONLines,
    "csv": ConversationRows,
    "items-csv": ItemRows,
    "messages": ChatMessages,
    "markdown": MarkdownFile,
    "html": HTMLFile,
}
