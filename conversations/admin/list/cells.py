"""The cells of the conversation list: display functions of its columns, and their HTML."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.template.defaultfilters import truncatechars
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from conversations.admin.charts import format_count
from conversations.admin.list.titles import build_title, split_id
from conversations.admin.metadata.pairs import pair_link, render_pairs
from conversations.admin.times import format_relative_time
from conversations.models import Conversation

PAIRS = "metadata_pairs"  # shown below the title
FIRST = "title"  # always shown: it links to the conversation and sorts the list
LAST_ITEM = "last_item"
COLUMNS: dict[str, Any] = {
    LAST_ITEM: _("last activity"),
    "created": _("created"),
    "owner": _("owner"),
    "end_user": _("end user"),
    "metadata_pairs": _("metadata"),
    "item_count": _("items"),
    "last_message": _("last message"),
    "id": _("id"),
}
MAX_PAIRS = 3  # metadata pairs in a row
MAX_PAIRS_OF_MATCH = 2  # in a row that needs room for a passage that matches the search
MAX_BEFORE = 25  # characters of a passage before what was searched for, which one line of a narrow screen has to show


class ConversationCells:
    """Display functions for `list_display`. The change list has set the attributes that they read on its rows."""

    @admin.display(description=_("conversation"), ordering="id")
    def title(self, conversation: Conversation) -> str:
        row: Any = conversation
        text = title_of(conversation)
        if not hasattr(row, "url"):
            return text
        popup = "" if row.popup_value is None else format_html(' data-popup-opener="{}"', row.popup_value)
        link = format_html(
            '<a class="conversations-title" dir="auto" data-row href="{}" title="{}"{}>{}</a>',
            row.url,
            text,
            popup,
            text,
        )
        pairs = self.metadata_pairs(conversation) if row.has_pairs else ""
        if snippet := _snippet(row):
            pairs = format_html('<div class="conversations-hit">{}{}</div>', snippet, pairs)
        return format_html("{}{}", _with_marks(link, row), pairs)

    @admin.display(description=COLUMNS["created"])
    def created(self, conversation: Conversation) -> str:
        return format_relative_time(conversation.created_at)

    @admin.display(description=COLUMNS[LAST_ITEM], ordering="-last_item_at")
    def last_item(self, conversation: Conversation) -> str:
        return format_relative_time(conversation.last_item_at)

    @admin.display(description=COLUMNS["metadata_pairs"])
    def metadata_pairs(self, conversation: Conversation) -> str:
        url_of = getattr(conversation, "condition_url", None)
        maximum = MAX_PAIRS_OF_MATCH if hasattr(conversation, "snippet") else MAX_PAIRS
        return render_pairs(conversation.metadata, url_of=url_of, maximum=maximum if url_of else None)

    @admin.display(description=COLUMNS["last_message"])
    def last_message(self, conversation: Conversation) -> str:
        preview = getattr(conversation, "preview", None)
        return preview.last_message if preview else ""


# Functions for columns that are fields: Django prefers a field to a method of the model admin with its name.


@admin.display(description=COLUMNS["owner"])
def owner(conversation: Conversation) -> str:
    name = conversation.owner.get_username()
    title = gettext("Only conversations of the owner “%(owner)s”") % {"owner": name}
    return _filter_link(conversation, "owner", name, text=str(conversation.owner), title=title)


@admin.display(description=COLUMNS["end_user"])
def end_user(conversation: Conversation) -> str:
    name = conversation.end_user or ""
    title = gettext("Only conversations of the end user “%(end_user)s”") % {"end_user": name}
    return _filter_link(conversation, "end_user", name, text=name, title=title) if name else ""


@admin.display(description=COLUMNS["item_count"])
def item_count(conversation: Conversation) -> str:
    unit = ngettext("item", "items", conversation.item_count)  # shown on narrow screens, which have no table head
    count = format_count(conversation.item_count)
    return format_html('{}<span class="conversations-unit"> {}</span>', count, unit)


@admin.display(description=COLUMNS["id"])
def short_id(conversation: Conversation) -> str:
    return render_short_id(conversation.pk)


FIELD_CELLS = {"owner": owner, "end_user": end_user, "item_count": item_count, "id": short_id}


def metadata_cell(key: str) -> Callable[[Conversation], str]:
    """Return the display function of a column with the values of a metadata key."""

    def metadata_value(conversation: Conversation) -> str:
        pairs: Any = conversation.metadata
        value = pairs.get(key, "") if isinstance(pairs, dict) else ""
        url_of = getattr(conversation, "condition_url", None)
        text = truncatechars(value, 100)
        return pair_link(text, key, value, url_of) if url_of and isinstance(value, str) and value else text

    metadata_value.short_description = key  # type: ignore[attr-defined]
    return metadata_value


def title_of(conversation: Conversation) -> str:
    """Return the title with the first message of a user, if the list has read it."""
    preview = getattr(conversation, "preview", None)
    return preview.first_message if preview and preview.first_message else build_title(conversation)


def render_short_id(conversation_id: str) -> SafeString:
    """Return HTML that shows an ellipsis for the middle of the id, which is selected and copied with the rest."""
    prefix, middle, tail = split_id(conversation_id)
    return format_html(
        '<code class="conversations-id" data-copy-id="{}" title="{}">{}<span>{}</span>{}</code>',
        *(conversation_id, conversation_id, prefix, middle, tail),
    )


def _filter_link(conversation: Any, name: str, value: str, *, text: str, title: str) -> str:
    """Return a link to the list with this value of a field of its form, or the text outside the list."""
    form = getattr(conversation, "form", None)
    if form is None:
        return text
    url = form.url((name, value), without=[name])
    return format_html('<a class="conversations-pair" href="{}" title="{}">{}</a>', url, title, text)


def held_mark() -> SafeString:
    return format_html('<span class="conversations-held">{}</span>', gettext("Held"))


def _with_marks(link: SafeString, row: Any) -> SafeString:
    """Return the link with marks for a legal hold, and for failed items and calls without output, if they were read."""
    texts = []
    if row.preview and (number := row.preview.failed_count):
        texts.append(ngettext("%(count)s failed", "%(count)s failed", number) % {"count": format_count(number)})
    if row.preview and row.preview.is_unanswered:
        texts.append(gettext("unanswered call"))
    marks = format_html_join(" ", '<span class="conversations-mark">✕ {}</span>', ((text,) for text in texts))
    if row.is_held:
        marks = format_html("{} {}", held_mark(), marks)
    return format_html('<div class="conversations-headline">{} {}</div>', link, marks) if marks else link


def _snippet(row: Any) -> SafeString | str:
    """Return the passage that matches the search, linked to its item."""
    if not hasattr(row, "snippet"):
        return ""
    snippet = row.snippet
    before = snippet.before[-MAX_BEFORE:]
    is_cut_before = snippet.is_cut_before or len(before) < len(snippet.before)
    return format_html(
        '<a class="conversations-snippet" href="{}" dir="auto">{}{}<mark>{}</mark>{}{}</a>',
        *(row.snippet_url, "…" if is_cut_before else "", before, snippet.hit),
        *(snippet.after, "…" if snippet.is_cut_after else ""),
    )
