from django.contrib import admin
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from conversations.admin import permissions
from conversations.admin.base import EMPTY
from conversations.admin.charts import format_count
from conversations.admin.times import format_time
from conversations.models import Conversation


class ConversationDisplays:
    """The values on the page of one conversation that are no fields."""

    @admin.display(description=_("created at"))
    def created_time(self, conversation: Conversation) -> str:
        return format_time(conversation.created_at)

    @admin.display(description=_("items"))
    def formatted_item_count(self, conversation: Conversation) -> str:
        return format_count(conversation.item_count)

    @admin.display(description=_("last activity"))
    def last_item_time(self, conversation: Conversation) -> str:
        return format_time(conversation.last_item_at) or EMPTY

    @admin.display(description=_("forked from"))
    def origin(self, conversation: Conversation) -> str:
        url = getattr(conversation, "origin_url", "")
        return format_html('<a href="{}">{}</a>', url, conversation.forked_from) if url else conversation.forked_from

    @admin.display(description=_("transcript"))
    def transcript_refusal(self, conversation: Conversation) -> str:
        return permissions.missing_permission_message()
