from io import StringIO

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import CommandError, call_command

from tests.live.staff import Staff

READERS = {"view_conversation", "read_content"}
OPERATORS = {
    *READERS,
    "export_conversation",
    "change_conversation",
    "delete_conversation",
    "share_savedview",
    "view_accessrecord",
    "view_deletedconversation",
}
OFFICERS = {
    *READERS,
    "delete_conversation",
    "view_accessrecord",
    "view_deletedconversation",
    "delete_deletedconversation",
    "hold_conversation",
    "redact_item",
    "erase_person",
    *(f"{verb}_retentionrule" for verb in ("view", "add", "change", "delete")),
}


def codenames(name: str) -> set[str]:
    return set(Group.objects.get(name=name).permissions.values_list("codename", flat=True))


def create(**options) -> str:
    stdout = StringIO()
    call_command("create_conversation_groups", stdout=stdout, **options)
    return stdout.getvalue()


def test_groups_have_their_permissions(db):
    assert "Conversation readers: read_content, view_conversation\n" in create()
    assert codenames("Conversation readers") == READERS
    assert codenames("Conversation operators") == OPERATORS
    assert codenames("Conversation privacy officers") == OFFICERS


def test_second_run_adds_missing_permissions_and_removes_none(db):
    create()
    readers = Group.objects.get(name="Conversation readers")
    readers.permissions.add(Permission.objects.get(codename="view_apikey"))
    readers.permissions.remove(Permission.objects.get(codename="read_content"))
    create()
    assert codenames("Conversation readers") == {*READERS, "view_apikey"}
    assert Group.objects.count() == 3


def test_verbosity_zero_prints_nothing(db):
    assert create(verbosity=0) == ""


def test_groups_are_not_created_if_permissions_are_missing(db):
    Permission.objects.get(codename="view_accessrecord").delete()
    with pytest.raises(CommandError, match="run migrate first"):
        create()
    assert not Group.objects.exists()


def test_group_members_have_the_permissions_of_the_group(alice):
    create()
    alice.groups.add(Group.objects.get(name="Conversation readers"))
    assert alice.has_perm("conversations.read_content")
    assert not alice.has_perm("conversations.export_conversation")


@pytest.mark.slow
def test_first_start_of_the_service_creates_the_groups(live_service):
    page = Staff(live_service).get("auth/group/")
    assert ">Conversation readers</a>" in page
    assert ">Conversation operators</a>" in page
    assert ">Conversation privacy officers</a>" in page
