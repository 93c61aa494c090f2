from collections import Counter
from collections.abc import Iterable
from typing import ClassVar

from conversations.transfer.segments import ConversationSegment


class FileFormat:
    """A writer of one file: it gets the segments of an export in order, and returns the bytes to write for them.

    `omissions` counts what the format can't express, by its name.
    """

    has_items: ClassVar[bool] = True  # False for a format without the items of conversations

    def __init__(self) -> None:
        self.omissions: Counter[str] = Counter()

    def begin(self) -> bytes:
        """Return the beginning of the file."""
        return b""

    def write(self, segments: Iterable[ConversationSegment]) -> bytes:
        raise NotImplementedError

    def end(self) -> bytes:
        """Return the rest of the file."""
        return b""
