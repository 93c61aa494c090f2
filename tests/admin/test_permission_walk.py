"""Every kind of staff on every page of the app's admin, by GET and by POST.

A kind has one permission of the app, none, or all. New pages, actions and permissions are found by themselves, and fail
until the tables here say who may use them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Permission, User
from django.db import transaction
from django.http.response import HttpResponseBase
from django.test import Client
from django.urls import URLPattern, reverse

from conversations.admin.metadata.form import metadata_digest
from conversations.admin.transcript.stored_files import StoredFile
from conversations.models import AccessRecord, APIKey, Conversation, DeletedConversation, RetentionRule, SavedView
from conversations.schema.items import validate_items
from conversations.trash import move_to_trash

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
FILE = StoredFile("JVBERi0=")
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
# A form with valid values for every page, so that what a kind may do is done.
FORM = {
    "post": "yes",
    "name": "changed",
    "can_read": "on",
    "metadata_key": "topic",
    "metadata_value": "changed",
    "metadata_seen": metadata_digest({"topic": "demo"}),
    "query_string": "owner=alice",
    "file_format": "csv",
    "overlap": "1",
    "reason": "court order",
    "shortcuts": "off",
}


def patterns() -> Iterator[tuple[Any, URLPattern]]:
    for model, model_admin in admin.site._registry.items():
        if model._meta.app_label == "conversations":
            yield from ((model_admin, pattern) for pattern in model_admin.get_urls() if getattr(pattern, "name", None))


def short_name(pattern: URLPattern) -> str:
    return str(pattern.name).removeprefix("conversations_")


@pytest.fixture
def staff(db) -> User:
    return User.objects.create_user("staff", is_staff=True)


@pytest.fixture
def arguments(alice, staff) -> dict[Any, dict[str, Any]]:
    """The arguments of URLs by the model of their page, for one row of each model."""
    content = [{"type": "input_text", "text": "hello"}, {"type": "input_file", "file_data": FILE.encoded}]
    items = validate_items([{"role": "user", "content": content}])
    one, other = [
        Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"}, items=items) for _ in range(2)
    ]
    move_to_trash(other)
    item = one.items.get()
    AccessRecord.objects.record(user=alice, action="read", conversation_id=one.pk)
    rows = (
        one,
        AccessRecord.objects.get(),
        APIKey.create(user=alice)[0],
        DeletedConversation.objects.get(),
        SavedView.objects.create(owner=staff, name="mine"),
        RetentionRule.objects.create(name="old", days=30),
    )
    others = {"position": item.position, "item_id": item.item_id, "key": FILE.key, "newest": quote(one.pk)}
    return {type(row): {"object_id": quote(row.pk), **others, "row": row} for row in rows}


def requests(arguments: dict[Any, dict[str, Any]]) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    """Yield the name and the URL of each page with the forms to post there: one for each action of a list."""
    for model_admin, pattern in patterns():
        values = arguments[model_admin.model]
        kwargs = {name: values[name] for name in pattern.pattern.converters}
        forms = [FORM]
        if str(pattern.name).endswith("_changelist"):
            names = {action if isinstance(action, str) else action.__name__ for action in model_admin.actions}
            selected = {**FORM, "_selected_action": [values["row"].pk]}
            forms += [{**selected, "action": name} for name in sorted({*names, "delete_selected"})]
        yield short_name(pattern), reverse(f"admin:{pattern.name}", kwargs=kwargs), forms


def snapshot() -> dict[str, list[Any]]:
    models = apps.get_app_config("conversations").get_models()
    return {model.__name__: list(model._base_manager.order_by("pk").values()) for model in models}


def read(response: HttpResponseBase) -> int:
    if response.streaming:
        list(response.streaming_content)
    return response.status_code


@contextmanager
def undone() -> Iterator[None]:
    """Undo what the block does. Durable transactions may be nested in it, as in those of Django's TestCase."""
    block = transaction.atomic()
    block._from_testcase = True
    with block:
        yield
        transaction.set_rollback(True)


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
