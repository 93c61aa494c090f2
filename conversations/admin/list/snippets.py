"""Links from a search of the list to items: passages that match, and the item whose id was searched."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.admin.utils import quote
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from conversations import ids
from conversations.admin.content.item_ids import conversations_of_item
from conversations.admin.content.search import RecordedSearch
from conversations.admin.list.filter_form import ListForm, is_id
from conversations.admin.list.parameters import LIST_FILTERS_PARAMETER
from conversations.admin.transcript.page_urls import FIND_PARAMETER
from conversations.models import Conversation
from conversations.rendering.marks import quote_phrases
from conversations.schema.query.nodes import collect_phrases


def add_snippets(conversations: Iterable[Conversation], *, search: RecordedSearch, site_name: str) -> None:
    """Set `snippet` and `snippet_url` on each conversation with a matching passage that the user may read."""
    conversations = list(conversations)
    snippets = search.snippets(conversations)
    filters, find = search.request.GET.urlencode(), quote_phrases(collect_phrases(search.query))
    for conversation in conversations:
        if snippet := snippets.get(conversation.pk):
            annotated: Any = conversation
            annotated.snippet = snippet
            annotated.snippet_url = _item_url(
                conversation, snippet.item_id, site_name=site_name, filters=filters, find=find
            )


def searched_item_url(model_admin: Any, request: HttpRequest) -> str | None:
    """Return the URL of the item whose id is the whole search, if a single conversation that may be read has it."""
    item_id = request.GET.get("q", "").strip()
    if is_id(item_id) or not ids.is_well_formed(item_id) or len(ListForm(request.GET).chips) != 1:
        return None
    conversations = list(
        model_admin.get_queryset(request).filter(pk__in=conversations_of_item(item_id)).order_by("pk")[:2]
    )
    if len(conversations) != 1:
        return None
    [conversation] = conversations
    if not model_admin.has_view_or_change_permission(request, conversation):
        return None
    if not model_admin.has_read_content_permission(request, conversation):
        return None
    site_name, filters = model_admin.admin_site.name, request.GET.urlencode()
    return _item_url(conversation, item_id, site_name=site_name, filters=filters)


def _item_url(conversation: Conversation, item_id: str, *, site_name: str, filters: str, find: str = "") -> str:
    args = [quote(conversation.pk)]
    url = reverse("admin:conversations_conversation_change", args=args, current_app=site_name)
    parameters = {"item": item_id, **({FIND_PARAMETER: find} if find else {}), LIST_FILTERS_PARAMETER: filters}
    return f"{url}?{urlencode(parameters)}#item_{item_id}"
