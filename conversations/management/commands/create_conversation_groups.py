from typing import Any

from django.contrib.auth.models import Group, Permission
from django.core.management.base import BaseCommand, CommandError
from django.db import router, transaction

READERS = {"view_conversation", "read_content"}
GROUPS = {
    "Conversation readers": READERS,
    "Conversation operators": READERS
    | {
        "export_conversation",
        "change_conversation",
        "delete_conversation",
        "share_savedview",
        "view_accessrecord",
        "view_deletedconversation",
    },
    "Conversation privacy officers": READERS
    | {
        "delete_conversation",
        "view_accessrecord",
        "view_deletedconversation",
        "delete_deletedconversation",
        "hold_conversation",
        "redact_item",
        "erase_person",
        "view_retentionrule",
        "add_retentionrule",
        "change_retentionrule",
        "delete_retentionrule",
    },
}


class Command(BaseCommand):
    help = (
        "Creates the groups 'Conversation readers', 'Conversation operators' and 'Conversation privacy officers' for "
        "staff, or adds missing permissions to them. Other permissions of the groups stay."
    )

    def handle(self, *, verbosity: int, **options: Any) -> None:
        using = router.db_for_write(Group)
        with transaction.atomic(using=using):
            for name, codenames in GROUPS.items():
                _add_permissions(name, codenames, using=using)
        if verbosity:
            for name, codenames in GROUPS.items():
                self.stdout.write(f"{name}: {', '.join(sorted(codenames))}")


def _add_permissions(name: str, codenames: set[str], *, using: str) -> None:
    """Give the permissions to the group of this name. Create it if it does not exist."""
    permissions = Permission.objects.using(using).filter(content_type__app_label="conversations")
    permissions = permissions.filter(codename__in=codenames)
    if len(permissions) < len(codenames):
        raise CommandError("The permissions do not exist yet: run migrate first.")
    group, _ = Group.objects.using(using).get_or_create(name=name)
    group.permissions.add(*permissions)
