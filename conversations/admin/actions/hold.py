from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from conversations.admin.base import ModelAdminView, page_url
from conversations.admin.charts import format_count
from conversations.errors import APIError
from conversations.models import Conversation, DeletedConversation
from conversations.retention.holds import place_hold, release_hold
from conversations.schema.json_limits import UNSTORABLE_CHARACTER

MAX_REASON_LENGTH = 500


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        help_text=_("The access log keeps the reason with your name."),
        max_length=MAX_REASON_LENGTH,
        widget=AdminTextInputWidget,
    )


class HoldView(ModelAdminView):
    """Place a legal hold on a conversation, or on a copy in the trash, or release it."""

    template: ClassVar[str] = "admin/conversations/hold.html"
    row: Conversation | DeletedConversation

    def dispatch(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        row = self.get_row(object_id)
        if not (self.model_admin.has_hold_permission(request) and self.model_admin.has_view_permission(request, row)):
            raise PermissionDenied
        self.row = row
        return super().dispatch(request)

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(ReasonForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Place or release the hold, as the page that was sent offered it."""
        form = ReasonForm(request.POST)
        if not form.is_valid():
            return self._page(form)
        reason = form.cleaned_data["reason"]
        try:
            if request.POST.get("release"):
                is_changed = release_hold(self.row, reason=reason, released_by=request.user)
                text = change = gettext("Released the legal hold.")
            else:
                is_changed = place_hold(self.row, reason=reason, placed_by=request.user)
                text = gettext("This conversation is on legal hold now.")
                change = gettext("Placed on legal hold.")
        except APIError as error:  # Another request has just deleted or restored it.
            raise Http404 from error
        if is_changed:
            self.model_admin.log_change(request, self.row, change)
        self.model_admin.message_user(request, text, messages.SUCCESS)
        return HttpResponseRedirect(page_url(self.model_admin, self.row.pk))

    def _page(self, form: ReasonForm) -> HttpResponse:
        title = _("Release legal hold") if self.row.is_held else _("Place on legal hold")
        row_title = self.model_admin.title_of(self.request, self.row)
        context: dict[str, Any] = {"title": title, "original": self.row, "row_title": row_title, "form": form}
        return self.render(self.template, context)


def refuse_if_held(model_admin: Any, request: HttpRequest, object_id: str) -> HttpResponse | None:
    """Return a redirect with a message if the row is on legal hold."""
    try:
        key = model_admin.opts.pk.to_python(unquote(object_id))
    except ValidationError:
        return None
    if UNSTORABLE_CHARACTER.search(str(key)):
        return None
    row = model_admin.get_queryset(request).filter(pk=key).first()
    if row is None or not row.is_held or not model_admin.has_view_permission(request, row):
        return None
    return refuse_held(model_admin, request, key)


def refuse_held(model_admin: Any, request: HttpRequest, key: Any) -> HttpResponse:
    text = gettext(
        "This conversation is on legal hold, so that it can't be changed or deleted. Release the hold first."
    )
    model_admin.message_user(request, text, messages.ERROR)
    return HttpResponseRedirect(page_url(model_admin, key))


def warn_about_held(model_admin: Any, request: HttpRequest, count: int) -> None:
    text = ngettext(
        "Kept %(count)s conversation that is on legal hold.",
        "Kept %(count)s conversations that are on legal hold.",
        count,
    )
    model_admin.message_user(request, text % {"count": format_count(count)}, messages.WARNING)
