"""Every kind of staff on every page of the app's admin, by GET and by POST.

A kind has one permission of the app, none, or all. New pages, actions and permissions are found by themselves, and fail
until the tables here say who may use them.
"""

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from tests.admin.walk import create_rows, patterns, read, requests, short_name, snapshot, undone

VIEW = {"view_conversation", "change_conversation"}  # Django: who may change a row may see it.
KEYS = {"view_apikey", "change_apikey"}
TRASH = {"view_deletedconversation"}
LOG = {"view_accessrecord"}
RULES = {"view_retentionrule", "change_retentionrule"}
# The permissions that each open a page alone. Other pages need several, or are for nobody.
OPENED_BY: dict[str, set[str]] = {
    "accessrecord_change": LOG,
    "accessrecord_changelist": LOG,
    "accessrecord_history": LOG,
    "apikey_add": {"add_apikey"},
    "apikey_change": KEYS,
    "apikey_changelist": KEYS,
    "apikey_history": KEYS,
    "apikey_revoke": {"change_apikey"},
    "conversation_change": VIEW,
    "conversation_changelist": VIEW,
    "conversation_delete": {"delete_conversation"},
    "conversation_history": VIEW,
    "conversation_metadata": {"change_conversation"},
    "conversation_new": VIEW,
    "conversation_new_items": VIEW,
    "conversation_suggestions": VIEW,
    "deletedconversation_change": TRASH,
    "deletedconversation_changelist": TRASH,
    "deletedconversation_delete": {"delete_deletedconversation"},
    "deletedconversation_history": TRASH,
    "overview": VIEW,
    "retentionrule_change": RULES,
    "retentionrule_changelist": RULES,
    "retentionrule_delete": {"delete_retentionrule"},
    "retentionrule_history": RULES,
    **{f"savedview_{name}": VIEW for name in ("add", "change", "changelist", "delete", "history", "open")},
}
NEED_SEVERAL = {
    "apikey_rotate",
    "conversation_bulk_deletion",
    "conversation_erase",
    "conversation_export",
    "conversation_export_list",
    "conversation_file",
    "conversation_hold",
    "conversation_item",
    "conversation_redact",
    "deletedconversation_hold",
    "deletedconversation_read",
    "deletedconversation_restore",
    "retentionrule_add",
    "retentionrule_dry_run",
}
FOR_NOBODY = {
    "accessrecord_add",
    "accessrecord_delete",
    "apikey_delete",
    "conversation_add",
    "deletedconversation_add",
}
OWN = {"Preferences", "SavedView"}  # rows of the member of staff
# The tables that one permission alone may change. A permission that is not named may change none.
MAY_CHANGE: dict[str, set[str]] = {
    "add_apikey": {"APIKey", "AccessRecord"},
    "change_apikey": {"APIKey", "AccessRecord"},
    "change_conversation": {*OWN, "Conversation", "MetadataPair", "AccessRecord"},
    "delete_conversation": {
        "AccessRecord",
        "Conversation",
        "DeletedConversation",
        "DeletedPart",
        "Item",
        "ItemText",
        "MetadataPair",
    },
    "delete_retentionrule": {"RetentionRule"},
    "delete_deletedconversation": {"DeletedConversation", "DeletedPart", "AccessRecord"},
    "view_conversation": OWN,
}
CODENAMES = [
    f"{action}_{model._meta.model_name}"
    for model in apps.get_app_config("conversations").get_models()
    for action in model._meta.default_permissions
] + [codename for model in apps.get_app_config("conversations").get_models() for codename, _ in model._meta.permissions]
REFUSED = {403, 405}  # A page without a form refuses the method first.


@pytest.fixture
def staff(db) -> User:
    return User.objects.create_user("staff", is_staff=True)


@pytest.fixture
def arguments(alice, staff):
    return create_rows(alice, staff)


@pytest.mark.slow
@pytest.mark.parametrize("codename", ["", *CODENAMES])
def test_a_permission_opens_its_pages_and_changes_its_tables_only(staff, arguments, codename):
    if codename:
        staff.user_permissions.add(Permission.objects.get(codename=codename, content_type__app_label="conversations"))
    client = Client()
    client.force_login(staff)
    before, changed_by_any = snapshot(), set()
    for name, url, forms in requests(arguments):
        is_open = codename in OPENED_BY.get(name, set())
        assert (read(client.get(url)) != 403) == is_open, name
        for form in forms:
            with undone():
                status = read(client.post(url, form))
                assert is_open or status in REFUSED, (name, form)
                after = snapshot()
            changed = {table for table in before if before[table] != after[table]}
            assert changed <= MAY_CHANGE.get(codename, set()), (name, form)
            changed_by_any |= changed
    assert bool(changed_by_any) == (codename in MAY_CHANGE)


@pytest.mark.slow
def test_superusers_may_open_every_page_but_those_for_nobody(staff, arguments):
    staff.is_superuser = True
    staff.save()
    client = Client()
    client.force_login(staff)
    for name, url, forms in requests(arguments):
        assert (read(client.get(url)) == 403) == (name in FOR_NOBODY), name
        for form in forms:
            with undone():
                if name in FOR_NOBODY:
                    assert read(client.post(url, form)) == 403, (name, form)
                else:
                    assert read(client.post(url, form)) < 500, (name, form)


@pytest.mark.parametrize("is_staff", [False, True])
def test_people_who_are_not_active_staff_are_sent_to_the_login(staff, arguments, is_staff):
    staff.user_permissions.set(Permission.objects.filter(content_type__app_label="conversations"))
    client = Client()
    client.force_login(staff)
    User.objects.update(is_staff=is_staff, is_active=not is_staff)
    before = snapshot()
    for name, url, forms in requests(arguments):
        for response in (client.get(url), *(client.post(url, form) for form in forms)):
            assert (response.status_code, response["Location"].partition("?")[0]) == (302, reverse("admin:login")), name
    assert snapshot() == before


def test_every_page_and_permission_is_in_the_tables():
    names = {short_name(pattern) for _, pattern in patterns()}
    assert names == OPENED_BY.keys() | NEED_SEVERAL | FOR_NOBODY
    assert {*MAY_CHANGE, *set().union(*OPENED_BY.values())} <= set(CODENAMES)
    assert len(CODENAMES) + 2 >= 24  # kinds of staff
