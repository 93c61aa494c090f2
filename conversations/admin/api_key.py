from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import get_permission_codename, get_user_model
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from conversations.admin.base import AppModelAdmin
from conversations.admin.keyset import CappedPaginator, KeysetChangeList
from conversations.admin.list.columns import time_column
from conversations.models import APIKey

CREATED, LAST_USED, EXPIRES, REVOKED = (
    time_column(APIKey, name) for name in ("created_at", "last_used_at", "expires_at", "revoked_at")
)


class APIKeyForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        help_texts = {"user": _("The key acts as this user.")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "expires_at" in self.fields:  # Django labels neither the date nor the time.
            date, time = self.fields["expires_at"].widget.widgets
            date.attrs["aria-label"], time.attrs["aria-label"] = _("Expires at: date"), _("Expires at: time")


@admin.register(APIKey)
class APIKeyAdmin(AppModelAdmin):
    """API keys. Staff create and revoke keys but do not delete them: a key explains the requests that it made."""

    form = APIKeyForm
    actions = ("revoke",)
    list_display = ("name", "truncated_prefix", "user", CREATED, LAST_USED, EXPIRES, "state")
    list_display_links = ("name", "truncated_prefix")
    list_select_related = ("user",)
    ordering = ("-id",)
    paginator = CappedPaginator
    raw_id_fields = ("user",)
    show_full_result_count = False
    sortable_by = ()

    class Media:
        css: ClassVar = {"all": ("conversations/admin.css",)}

    @admin.display(description=_("prefix"))
    def truncated_prefix(self, key: APIKey) -> str:
        return f"{key.prefix}…"

    @admin.display(description=_("state"))
    def state(self, key: APIKey) -> str:
        if key.revoked_at:
            return gettext("revoked")
        if key.expires_at and key.expires_at <= timezone.now():
            return gettext("expired")
        return gettext("active") if key.is_active else gettext("user inactive")

    @admin.action(description=_("Revoke selected API keys"), permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[APIKey]) -> None:
        keys = queryset.filter(revoked_at=None)
        for key in keys:
            key.revoke()
            self.log_change(request, key, gettext("Revoked."))
        text = ngettext("Revoked %(count)d API key.", "Revoked %(count)d API keys.", len(keys))
        self.message_user(request, text % {"count": len(keys)}, messages.SUCCESS)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        return KeysetChangeList

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        return ("name", f"user__{get_user_model().USERNAME_FIELD}")

    def get_fields(self, request: HttpRequest, obj: APIKey | None = None) -> Any:
        if obj is None:
            return (*(["user"] if self._may_choose_user(request) else []), "name", "expires_at")
        return ("name", "truncated_prefix", "user", CREATED, LAST_USED, EXPIRES, REVOKED, "state")

    def get_readonly_fields(self, request: HttpRequest, obj: APIKey | None = None) -> Any:
        return [name for name in self.get_fields(request, obj) if name != "name"] if obj else ()

    def save_model(self, request: HttpRequest, obj: APIKey, form: ModelForm[Any], change: bool) -> None:
        if change:
            obj.save(update_fields=["name"])
            return
        user: Any = obj.user if self._may_choose_user(request) else request.user
        key, secret = APIKey.create(user=user, name=obj.name, expires_at=obj.expires_at)
        obj.pk = key.pk
        obj.refresh_from_db(using=key._state.db)
        text = gettext("The secret of this key is shown only once. Copy it now: {}")
        secret_html = format_html('<code class="conversations-secret">{}</code>', secret)
        self.message_user(request, format_html(text, secret_html), messages.WARNING)

    def _may_choose_user(self, request: HttpRequest) -> bool:
        """Whether the user may create keys for other users.

        Creating a key for another user is privilege escalation, so require the permission to change that user.
        """
        opts = get_user_model()._meta
        return request.user.has_perm(f"{opts.app_label}.{get_permission_codename('change', opts)}")

    # Keys cannot be deleted here, even with the permission: Django requires it to delete a user with the user's keys.

    def has_delete_permission(self, request: HttpRequest, obj: APIKey | None = None) -> bool:
        """Return the permission for one key, which the deletion of its user asks for. The list offers no deletion."""
        return obj is not None and super().has_delete_permission(request, obj)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        raise PermissionDenied

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context["show_delete"] = False
        return super().render_change_form(request, context, *args, **kwargs)
