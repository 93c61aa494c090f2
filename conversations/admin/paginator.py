from __future__ import annotations

from typing import Any, ClassVar

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.formats import number_format
from django.utils.functional import cached_property


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than `max_count` rows and pages through no more, so that no page reads a whole table.

    For lists in any order, and for completion in the host's own forms. Those in the order of their keys go further,
    as `PlacedChangeList`.
    """

    max_count: ClassVar[int] = 1_000
    object_list: QuerySet[Any]

    @cached_property
    def _counted(self) -> int:
        return self.object_list.order_by()[: self.max_count + 1].count()

    @property
    def count(self) -> int:
        return min(self._counted, self.max_count)

    @property
    def is_capped(self) -> bool:
        return self._counted > self.max_count

    @property
    def shown_count(self) -> str:
        return f"{number_format(self.count, force_grouping=True)}{'+' if self.is_capped else ''}"

    def validate_number(self, number: Any) -> int:
        # The admin answers a page that is no more by dropping every filter: show the nearest page instead.
        return min(max(int(number), 1), self.num_pages)
