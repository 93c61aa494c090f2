from typing import Any

from django.contrib.auth.models import Group, Permission
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

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
}


class Command(BaseCommand):
    help = (
        "Creates the groups 'Conversation readers' and 'Conversation operators' for staff, or adds missing permissions "
        "to them. Other permissions of the groups stay."
    )

    @transaction.atomic
    def handle(self, *, verbosity: int, **options: Any) -> None:
        for name, codenames in GROUPS.items():
            permissions = Permission.objects.filter(content_type__app_label="conversations", codename__in=codenames)
            if len(permissions) < len(codenames):
                raise CommandError("The permissions do not exist yet: run migrate first.")
            group, _ = Group.objects.get_or_create(name=name)
            group.permissions.add(*permissions)
            if verbosity:
                self.stdout.write(f"{name}: {', '.join(sorted(codenames))}")
