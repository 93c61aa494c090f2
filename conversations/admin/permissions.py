"""Who may see what items say. Neither Django's own rights nor any on items are enough."""

from django.http import HttpRequest
from django.utils.translation import gettext

from conversations.conf import app_settings


def may_read_content(request: HttpRequest) -> bool:
    return app_settings.staff_can_read_content and request.user.has_perm("conversations.read_content")


def may_export(request: HttpRequest) -> bool:
    """An export of content takes both rights."""
    return may_read_content(request) and may_export_facts(request)


def may_export_facts(request: HttpRequest) -> bool:
    """What the list shows to those who may not read content: ids, owners, times, metadata, numbers of items."""
    return request.user.has_perm("conversations.export_conversation")


def missing_permission_message() -> str:
    """What to say to those who may not read content."""
    if not app_settings.staff_can_read_content:
        return gettext("Nobody may read content here: CONVERSATIONS_STAFF_CAN_READ_CONTENT is off.")
    return gettext("You may not read it: the permission “Can read the content of conversations” is missing.")
