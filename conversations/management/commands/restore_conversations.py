from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from conversations.management.progress import count_of
from conversations.management.users import get_option_user
from conversations.models import Conversation, DeletedConversation
from conversations.trash import RestoreError, restore


class Command(BaseCommand):
    help = "Restores deleted conversations, even if they are too long to be restored in the admin."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--owner", metavar="USERNAME", help="make this user the owner, for example because the owner was deleted"
        )
        parser.add_argument("ids", nargs="+", metavar="CONVERSATION", help="the id of a deleted conversation")

    def handle(self, *, ids: list[str], owner: str | None, **options: Any) -> None:
        user = get_option_user(owner)
        failed = 0
        for conversation_id in ids:
            deleted = DeletedConversation.objects.filter(conversation_id=conversation_id).order_by("pk").last()
            try:
                if deleted is None:
                    raise RestoreError(f"{conversation_id}: no deleted conversation has this id.")
                restore(deleted, owner=user, restored_by="manage.py restore_conversations")
            except RestoreError as error:
                if _is_present(conversation_id):  # perhaps because another process has restored it meanwhile
                    self.stdout.write(f"{conversation_id} is already present.")
                else:
                    self.stderr.write(str(error))
                    failed += 1
            else:
                self.stdout.write(f"Restored {conversation_id} with {count_of(deleted.item_count, 'item')}.")
        if failed:
            raise CommandError(f"{failed} of {len(ids)} conversations were not restored.")


def _is_present(conversation_id: str) -> bool:
    """Whether there is nothing to restore, because the conversation exists and has no copy in the trash."""
    is_deleted = DeletedConversation.objects.filter(conversation_id=conversation_id).exists()
    return not is_deleted and Conversation.objects.filter(pk=conversation_id).exists()
