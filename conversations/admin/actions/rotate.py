from datetime import timedelta
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from conversations.admin.base import ModelAdminView
from conversations.models import APIKey

MAX_OVERLAP = 90 * 24  # hours


class RotateForm(forms.Form):
    overlap = forms.IntegerField(
        label=_("Overlap in hours"),
        help_text=_("For this long, the old key works beside the new one. Then it expires."),
        initial=24,
        min_value=0,
        max_value=MAX_OVERLAP,
    )


class RotateView(ModelAdminView):
    """Replace an API key by a new one with the same rights, and show the secret of the new one in the answer."""

    template: ClassVar[str] = "admin/conversations/apikey/rotate.html"
    key: APIKey

    def dispatch(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        key = self.get_row(object_id)
        if not self.model_admin.has_rotate_permission(request, key):
            raise PermissionDenied
        self.key = key
        return super().dispatch(request)

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(RotateForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = RotateForm(request.POST)
        if not form.is_valid():
            return self._page(form)
        try:
            key, secret = self.key.rotate(
                overlap=timedelta(hours=form.cleaned_data["overlap"]), rotated_by=request.user
            )
        except ValueError:
            form.add_error(None, gettext("A revoked or expired key can't be rotated. Create a new key instead."))
            return self._page(form)
        self.model_admin.log_change(request, self.key, gettext("Rotated: replaced by %(key)s.") % {"key": key})
        self.model_admin.log_addition(request, key, [{"added": {}}])
        response: HttpResponse = self.model_admin.render_secret(request, key, secret, replaced=self.key)
        return response

    def _page(self, form: RotateForm) -> HttpResponse:
        context: dict[str, Any] = {"title": _("Rotate API key"), "original": self.key, "form": form}
        return self.render(self.template, context)
