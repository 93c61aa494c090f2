from django.http import HttpRequest

from conversations.admin.permissions import sees_all_conversations


class RetentionPermissions:
    """The rights of a model admin's own actions of retention, on rows that the user may view."""

    def has_hold_permission(self, request: HttpRequest) -> bool:
        """Whether the user may place and release legal holds."""
        return request.user.has_perm("conversations.hold_conversation")

    def has_redact_permission(self, request: HttpRequest) -> bool:
        """Whether the user may redact items."""
        return request.user.has_perm("conversations.redact_item")

    def has_erase_permission(self, request: HttpRequest) -> bool:
        """Whether the user may erase all that is stored about a person. It takes the sight of all conversations."""
        return request.user.has_perm("conversations.erase_person") and sees_all_conversations(request)
