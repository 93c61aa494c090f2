"""The entries of a transcript: a box with its outputs, or the boxes of calls that a model made in parallel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime

from django.utils import timezone

from conversations.admin.transcript.item import TranscriptItem


@dataclass
class Entry:
    """A row of the transcript. `day` is set if the entry is the first one of a day on its page."""

    boxes: list[TranscriptItem] = field(default_factory=list)
    day: date | None = None

    @property
    def position(self) -> int:
        return self.boxes[0].position

    @property
    def is_parallel(self) -> bool:
        return len(self.boxes) > 1


def group_items(items: Iterable[TranscriptItem]) -> Iterator[Entry]:
    """Yield entries without the outputs that are in their call's box.

    Calls are parallel if no other item, not even an output, stands between them.
    """
    entry = Entry()
    previous: TranscriptItem | None = None
    day: date | None = None
    for item in items:
        if item.call is None:
            is_parallel = previous is not None and previous.is_call and item.is_call
            if entry.boxes and not is_parallel:
                yield entry
                entry = Entry()
            entry.boxes.append(item)
            if (item_day := _local_day(item.created_at)) != day:
                entry.day = day = item_day
        previous = item
    if entry.boxes:
        yield entry


def _local_day(time: datetime) -> date:
    return timezone.localtime(time).date() if timezone.is_aware(time) else time.date()
