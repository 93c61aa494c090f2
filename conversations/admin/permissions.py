"""Permissions for message content, which Django's permissions on conversations and items do not include."""

from django.http import HttpRequest
from django.utils.translation import gettext

from conversations.conf import app_settings
from conversations.models import Conversation


def may_read_content(request: HttpRequest) -> bool:
    return app_settings.staff_can_read_content and request.user.has_perm("conversations.read_content")


def may_export(request: HttpRequest) -> bool:
    """Whether the user may export message content, which takes the permissions to read it and to export."""
    return may_read_content(request) and may_export_facts(request)


def may_export_facts(request: HttpRequest) -> bool:
    """Whether the user may export ids, owners, times, metadata and item counts, that is, all but message content."""
    return request.user.has_perm("conversations.export_conversation")


def sees_all_conversations(request: HttpRequest) -> bool:
    """Whether CONVERSATIONS_VISIBLE_TO, if it is set, leaves out none for this user."""
    return not app_settings.visible_to or not Conversation.objects.visible_to(request.user).query.has_filters()


def missing_permission_message() -> str:
    """Return the reason why the user may not read message content, and who can change it."""
    if not app_settings.staff_can_read_content:
        return gettext("Message content is hidden from everyone here. An operator can change this.")
    return gettext(
        "You may not read messages: the permission “Can read the content of conversations” is missing. "
        "An administrator can grant it."
    )
