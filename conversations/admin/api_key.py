from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminTextInputWidget
from django.contrib.auth import get_permission_codename, get_user_model
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from conversations import api_key_secrets
from conversations.admin.actions.revoke import RevokeView
from conversations.admin.actions.rotate import RotateView
from conversations.admin.base import AppModelAdmin, page_url
from conversations.admin.keyset import CappedPaginator, KeysetChangeList
from conversations.admin.times import format_time, time_column
from conversations.models import APIKey
from conversations.models.access_record import MAX_USERNAME_LENGTH
from conversations.users import find_user

CREATED_AT, LAST_USED_AT, EXPIRES_AT, REVOKED_AT = (
    time_column(APIKey, name) for name in ("created_at", "last_used_at", "expires_at", "revoked_at")
)
CREATED, LAST_USED, EXPIRES = (
    time_column(APIKey, name, is_relative=True) for name in ("created_at", "last_used_at", "expires_at")
)
ACTS_AS = _("The key acts as this user.")
CHANGEABLE = ("name", "end_user_required")


class UsernameField(forms.CharField):
    """The name of a user. Django's fields for a foreign key show its number, or every user in a list."""

    widget = AdminTextInputWidget

    def clean(self, value: Any) -> Any:
        name = super().clean(value)
        user = find_user(name) if name else None
        if name and user is None:
            raise forms.ValidationError(_("No such user."))
        return user


class APIKeyForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        help_texts = {"user": ACTS_AS}  # on the page of a key

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "expires_at" in self.fields:  # Django labels neither the date nor the time.
            date, time = self.fields["expires_at"].widget.widgets
            date.attrs["aria-label"], time.attrs["aria-label"] = _("Expires at: date"), _("Expires at: time")

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if not (values.get("can_read", True) or values.get("can_write", True)):
            raise forms.ValidationError(_("Let the key read or write, or both."))
        return values


@admin.register(APIKey)
class APIKeyAdmin(AppModelAdmin):
    """API keys. Staff create and revoke keys but do not delete them: a key explains the requests that it made."""

    form = APIKeyForm
    actions = ("revoke",)
    list_display = (
        "name",
        "truncated_prefix",
        "user",
        "scopes",
        CREATED,
        LAST_USED,
        "last_used_from",
        EXPIRES,
        "state",
    )
    list_display_links = ("name", "truncated_prefix")
    list_select_related = ("user",)
    ordering = ("-id",)
    paginator = CappedPaginator
    show_full_result_count = False
    sortable_by = ()
    search_help_text = _("Name, username, prefix or secret. A secret opens the page of its key.")
    created_template: ClassVar[str] = "admin/conversations/apikey/secret.html"

    class Media:
        css: ClassVar = {"all": ("conversations/admin.css",)}

    @admin.display(description=_("prefix"))
    def truncated_prefix(self, key: APIKey) -> str:
        return f"{key.prefix}…"

    @admin.display(description=_("scopes"))
    def scopes(self, key: APIKey) -> str:
        names = {"can_read": gettext("read"), "can_write": gettext("write")}
        return ", ".join(name for field, name in names.items() if getattr(key, field))

    @admin.display(description=_("state"))
    def state(self, key: APIKey) -> str:
        if key.revoked_at:
            return gettext("revoked")
        if key.expires_at and key.expires_at <= timezone.now():
            return gettext("expired")
        return gettext("active") if key.is_active else gettext("user inactive")

    @admin.action(description=_("Revoke selected API keys"), permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[APIKey]) -> None:
        keys = [key for key in queryset if key.revoke(revoked_by=request.user)]
        for key in keys:
            self.log_change(request, key, gettext("Revoked."))
        text = ngettext("Revoked %(count)s API key.", "Revoked %(count)s API keys.", len(keys))
        self.message_user(request, text % {"count": len(keys)}, messages.SUCCESS)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "user":
            return UsernameField(label=_("Username"), help_text=ACTS_AS, max_length=MAX_USERNAME_LENGTH)
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        return KeysetChangeList

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        return ("name", f"user__{get_user_model().USERNAME_FIELD}", "=prefix")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[APIKey], search_term: str
    ) -> tuple[QuerySet[APIKey], bool]:
        """Search also for a prefix as the list shows it, with an ellipsis."""
        return super().get_search_results(request, queryset, search_term.replace("…", ""))

    def response_to_secret(self, request: HttpRequest, url: str) -> HttpResponse:
        """Redirect a search for a secret to the page of its key, which is found by the hash."""
        secret = api_key_secrets.find_secret(request.GET.get("q", ""))
        if secret and self.admin_site.has_permission(request) and self.has_view_or_change_permission(request):
            key = self.get_queryset(request).filter(hash=api_key_secrets.hash_secret(secret)).first()
            if key:
                return HttpResponseRedirect(page_url(self, key.pk))
            self.message_user(request, gettext("No API key has this secret."), messages.WARNING)
        return super().response_to_secret(request, url)

    def get_urls(self) -> list[URLPattern]:
        return [
            self.route("<path:object_id>/revoke/", RevokeView, name="apikey_revoke"),
            self.route("<path:object_id>/rotate/", RotateView, name="apikey_rotate"),
            *super().get_urls(),
        ]

    def get_fields(self, request: HttpRequest, obj: APIKey | None = None) -> Any:
        if obj is None:
            user = ["user"] if self._may_choose_user(request) else []
            return (*user, "name", "can_read", "can_write", "end_user_required", "expires_at")
        return (
            *("name", "truncated_prefix", "user", "scopes", "end_user_required"),
            *(CREATED_AT, LAST_USED_AT, "last_used_from", EXPIRES_AT, REVOKED_AT, "state"),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: APIKey | None = None) -> Any:
        if obj is None:
            return ()
        # Without the requirement a key sees more, so that changing it takes what creating such a key takes.
        may_widen = obj.user_id == request.user.pk or self._may_choose_user(request)
        changeable = CHANGEABLE if may_widen else ("name",)
        return [name for name in self.get_fields(request, obj) if name not in changeable]

    def save_model(self, request: HttpRequest, obj: APIKey, form: ModelForm[Any], change: bool) -> None:
        if change:
            obj.change(name=obj.name, end_user_required=obj.end_user_required)
            return
        user: Any = obj.user if self._may_choose_user(request) else request.user
        key, secret = APIKey.create(
            user=user,
            name=obj.name,
            can_read=obj.can_read,
            can_write=obj.can_write,
            end_user_required=obj.end_user_required,
            expires_at=obj.expires_at,
            created_by=request.user,
        )
        obj.pk = key.pk
        obj.refresh_from_db(using=key._state.db)
        obj.new_secret = secret  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: APIKey, post_url_continue: str | None = None) -> HttpResponse:
        """Show the secret in this response: a message for the next page would be stored in a cookie or a session."""
        return self.render_secret(request, obj, obj.new_secret)  # type: ignore[attr-defined]

    def render_secret(
        self, request: HttpRequest, key: APIKey, secret: str, *, replaced: APIKey | None = None
    ) -> HttpResponse:
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Secret of the new API key"),
            "opts": self.opts,
            "media": self.media,
            "original": key,
            "secret": secret,
            "replaced": replaced,
            "expires_at": format_time(replaced.expires_at) if replaced and replaced.expires_at else "",
        }
        return TemplateResponse(request, self.created_template, context)

    def has_rotate_permission(self, request: HttpRequest, key: APIKey) -> bool:
        """Whether the user may change this key and create one for its user."""
        is_for_user = key.user_id == request.user.pk or self._may_choose_user(request)
        return is_for_user and self.has_add_permission(request) and self.has_change_permission(request, key)

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
        obj: APIKey | None = kwargs.get("obj")
        if obj is None:  # The response shows the secret of the new key.
            context["show_save_and_add_another"] = context["show_save_and_continue"] = False
        else:
            context["may_revoke"] = obj.revoked_at is None and self.has_change_permission(request, obj)
            context["may_rotate"] = obj.is_active and self.has_rotate_permission(request, obj)
        return super().render_change_form(request, context, *args, **kwargs)
