from __future__ import annotations

from typing import Any, NoReturn, TypeVar

from django.db import models

USE_ADD_ITEMS = (
    "Items are appended with conversation.add_items([…]), because the counters and the index of the conversation "
    "change with them. A stored item never changes."
)
USE_DELETE_ITEM = (
    "Items are deleted with conversation.delete_item(item_id) or conversation.rewind(after=…), because the counters "
    "and the index of the conversation change with them."
)
ItemType = TypeVar("ItemType", bound=models.Model)


class GuardedItemQuerySet(models.QuerySet[ItemType]):
    """Items that only the verbs of their conversation store and delete, with a queryset of the base class."""

    def bulk_create(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(USE_ADD_ITEMS)

    bulk_create.alters_data = True  # type: ignore[attr-defined]

    def update(self, **values: Any) -> NoReturn:
        raise TypeError(USE_ADD_ITEMS)

    update.alters_data = True  # type: ignore[attr-defined]

    def delete(self) -> NoReturn:
        raise TypeError(USE_DELETE_ITEM)

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]

    def delete_locked(self) -> int:
        """Delete the rows of a conversation that was locked for a change, and return their number."""
        return super().delete()[1].get(self.model._meta.label, 0)
