from __future__ import annotations

from typing import ClassVar

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from conversations.admin.actions.hold import ReasonForm, refuse_held, warn_about_held
from conversations.admin.base import ModelAdminView, non_atomic, page_url
from conversations.admin.charts import format_count
from conversations.errors import APIError
from conversations.models import Conversation
from conversations.retention.redaction import redact_item


@method_decorator(non_atomic, name="dispatch")  # Copies are redacted in transactions of their own.
class RedactView(ModelAdminView):
    """Replace an item of a conversation by a marker with who, when and why."""

    template: ClassVar[str] = "admin/conversations/redact.html"
    row: Conversation
    item_id: str

    def dispatch(self, request: HttpRequest, object_id: str, item_id: str) -> HttpResponseBase:
        row = self.get_row(object_id)
        if not (self.model_admin.has_redact_permission(request) and self.model_admin.has_view_permission(request, row)):
            raise PermissionDenied
        if row.is_held:
            return refuse_held(self.model_admin, request, row.pk)
        self.row, self.item_id = row, item_id
        return super().dispatch(request)

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(ReasonForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = ReasonForm(request.POST)
        if not form.is_valid():
            return self._page(form)
        try:
            redaction = redact_item(
                self.row, self.item_id, reason=form.cleaned_data["reason"], redacted_by=request.user
            )
        except APIError as error:
            if error.code == "conversation_held":
                return refuse_held(self.model_admin, request, self.row.pk)
            raise Http404 from error
        self.model_admin.log_change(request, self.row, gettext("Redacted an item."))
        text = gettext("Redacted the item. Copies that were redacted too: %(count)s.") % {
            "count": format_count(redaction.copy_count)
        }
        self.model_admin.message_user(request, text, messages.SUCCESS)
        if redaction.held_count:
            warn_about_held(self.model_admin, request, redaction.held_count)
        return HttpResponseRedirect(page_url(self.model_admin, self.row.pk))

    def _page(self, form: ReasonForm) -> HttpResponse:
        context = {
            "title": _("Redact item"),
            "original": self.row,
            "row_title": self.model_admin.title_of(self.request, self.row),
            "item_id": self.item_id,
            "form": form,
        }
        return self.render(self.template, context)
