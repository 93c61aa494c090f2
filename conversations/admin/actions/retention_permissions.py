from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from conversations.admin.list.filter_form import ListForm
from conversations.admin.permissions import sees_all_conversations


class RetentionPermissions:
    """The rights of a model admin's own actions of retention, on rows that the user may view."""

    admin_site: Any

    def has_hold_permission(self, request: HttpRequest) -> bool:
        """Whether the user may place and release legal holds."""
        return request.user.has_perm("conversations.hold_conversation")

    def has_redact_permission(self, request: HttpRequest) -> bool:
        """Whether the user may redact items."""
        return request.user.has_perm("conversations.redact_item")

    def has_erase_permission(self, request: HttpRequest) -> bool:
        """Whether the user may erase all that is stored about a person. It takes the sight of all conversations."""
        return request.user.has_perm("conversations.erase_person") and sees_all_conversations(request)

    def erase_url(self, request: HttpRequest, form: ListForm) -> str:
        """Return the URL that erases the person whom the filter names, or "" if it names none or the user may not."""
        if not form.person_parameters or not self.has_erase_permission(request):
            return ""
        url = reverse("admin:conversations_conversation_erase", current_app=self.admin_site.name)
        return f"{url}?{urlencode(form.person_parameters)}"
