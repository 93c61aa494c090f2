"""Every page of the app's admin, with the forms to post there, for one row of each model."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.auth.models import User
from django.db import transaction
from django.http.response import HttpResponseBase
from django.urls import URLPattern, reverse

from conversations.admin.metadata.form import metadata_digest
from conversations.admin.transcript.stored_files import StoredFile
from conversations.models import AccessRecord, APIKey, Conversation, DeletedConversation, RetentionRule, SavedView
from conversations.schema.items import validate_items
from conversations.trash import move_to_trash

METADATA = {"topic": "planted-topic"}
TEXT = "planted-text"
FILE = StoredFile("JVBERi0=")
# A form with valid values for every page, so that what a user may do is done.
FORM = {
    "post": "yes",
    "name": "changed",
    "can_read": "on",
    "metadata_key": "topic",
    "metadata_value": "changed",
    "metadata_seen": metadata_digest(METADATA),
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


def create_rows(owner: User, staff: User) -> dict[Any, dict[str, Any]]:
    """Create one row of each model, and return the arguments of URLs by the model of their page."""
    content = [{"type": "input_text", "text": TEXT}, {"type": "input_file", "file_data": FILE.encoded}]
    items = validate_items([{"role": "user", "content": content}])
    one, other = [Conversation.objects.create_with_items(owner=owner, metadata=METADATA, items=items) for _ in range(2)]
    move_to_trash(other)
    item = one.items.get()
    AccessRecord.objects.record(user=owner, action="read", conversation_id=one.pk)
    rows = (
        one,
        AccessRecord.objects.get(),
        APIKey.create(user=owner)[0],
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
