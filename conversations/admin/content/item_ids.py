"""Find conversations by ids of items, and count failed items. Nothing here reads content, so nothing is recorded."""

from collections.abc import Sequence

from django.db.models import Count, F, QuerySet

from conversations.models import Conversation, Item
from conversations.schema.item_failures import FAILED
from conversations.search.predicates import starts_with


def conversations_of_item(item_id: str) -> QuerySet[Item, str]:
    return Item.objects.filter(item_id=item_id).values_list("conversation", flat=True)


def conversations_of_items(prefix: str) -> QuerySet[Item, str]:
    """Return the conversations of the items whose ids begin with the prefix, in the order of the ids."""
    items = Item.objects.filter(starts_with(prefix, F("item_id"))).order_by("item_id", "conversation")
    return items.values_list("conversation", flat=True)


def conversations_of_call(call_id: str) -> QuerySet[Item, str]:
    # The redundant filter lets PostgreSQL and SQLite use the index, which leaves out empty call ids.
    return Item.objects.filter(call_id=call_id).exclude(call_id="").values_list("conversation", flat=True)


def count_failed_items(conversations: Sequence[Conversation]) -> dict[str, int]:
    """Return the number of failed items of each conversation that has some."""
    failed = Item.objects.filter(conversation__in=[each.pk for each in conversations], status=FAILED).order_by()
    return dict(failed.values_list("conversation").annotate(count=Count("pk")))
