from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import reset_queries, router

from conversations.management.progress import count_of, show_progress
from conversations.models import Conversation, ConversationQuerySet, ItemText
from conversations.search.item_text import full_text_enabled


class Command(BaseCommand):
    help = (
        "Adds missing items to the full-text index after CONVERSATIONS_FULL_TEXT was turned on, or empties the index "
        "with --clear. The service can run meanwhile. If the command is interrupted, run it again to continue."
    )
    batch_size = 100  # conversations per transaction

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--clear", action="store_true", help="remove all items from the index")

    def handle(self, *, clear: bool, **options: Any) -> None:
        using = router.db_for_write(Conversation)
        if not clear and not full_text_enabled(using=using):
            raise CommandError("Full-text search is off: set CONVERSATIONS_FULL_TEXT = True first.")
        conversations = Conversation.objects.using(using)
        total = conversations.count() if self.stderr.isatty() else 0
        done = items = 0
        for conversation_ids in self._batches(conversations):
            if clear:
                items += ItemText.objects.using(using).filter(conversation__in=conversation_ids).delete()[0]
            else:
                items += conversations.filter(pk__in=conversation_ids).add_missing_item_texts()
            done += len(conversation_ids)
            show_progress(self.stderr, f"{done:,} of {total:,} conversations")
            reset_queries()  # DEBUG would collect them in memory.
        show_progress(self.stderr, f"{done:,} of {done:,} conversations", ending="\n")
        action = "Removed" if clear else "Added"
        self.stdout.write(f"{action} the texts of {count_of(items, 'item')}.")

    def _batches(self, conversations: ConversationQuerySet) -> Iterator[list[str]]:
        rows = conversations.order_by("pk").values_list("pk", flat=True)
        batch = list(rows[: self.batch_size])
        while batch:
            yield batch
            batch = list(rows.filter(pk__gt=batch[-1])[: self.batch_size])
