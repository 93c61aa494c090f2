from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.db import router
from django.db.models import Model, ProtectedError, RestrictedError
from django.db.models.deletion import Collector
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import ngettext

from conversations.models import Conversation, Item

DeletionSummary = tuple[list[str], dict[str, int], set[str], list[str]]


def summarize_deletion(
    conversations: Iterable[Conversation],
    *,
    request: HttpRequest,
    model_admin: admin.ModelAdmin[Any],
) -> DeletionSummary:
    """What `ModelAdmin.get_deleted_objects()` has to tell, without reading the items: there may be millions."""
    conversations = list(conversations)
    site = model_admin.admin_site
    counts = {
        str(Conversation._meta.verbose_name_plural): len(conversations),
        str(Item._meta.verbose_name_plural): sum(conversation.item_count for conversation in conversations),
    }
    perms_needed = {
        str(Conversation._meta.verbose_name)
        for conversation in conversations
        if not model_admin.has_delete_permission(request, conversation)
    }
    collector = Collector(using=router.db_for_write(Conversation))
    try:
        collector.collect(conversations)
    except ProtectedError as error:
        return [], counts, perms_needed, _named(error.protected_objects)
    except RestrictedError as error:
        return [], counts, perms_needed, _named(error.restricted_objects)
    for model in {*collector.data, *(rows.model for rows in collector.fast_deletes)} - {Conversation}:
        # Rows of the host's own models that go along: items and metadata have no admin.
        if site.is_registered(model) and not site.get_model_admin(model).has_delete_permission(request):
            perms_needed.add(str(model._meta.verbose_name))
    return [_line(conversation, site) for conversation in conversations], counts, perms_needed, []


def _line(conversation: Conversation, site: admin.AdminSite) -> str:
    url = reverse("admin:conversations_conversation_change", args=[quote(conversation.pk)], current_app=site.name)
    items = ngettext("%(count)d item", "%(count)d items", conversation.item_count) % {"count": conversation.item_count}
    return format_html('<a href="{}">{}</a>, {}', url, conversation, items)


def _named(rows: Iterable[Model]) -> list[str]:
    return [f"{capfirst(str(row._meta.verbose_name))}: {row}" for row in rows]
