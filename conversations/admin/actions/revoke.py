from typing import ClassVar

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _

from conversations.admin.base import ModelAdminView, page_url
from conversations.admin.times import format_relative_time
from conversations.models import APIKey


class RevokeView(ModelAdminView):
    """Revoke an API key after a confirmation."""

    template: ClassVar[str] = "admin/conversations/apikey/revoke.html"
    key: APIKey

    def dispatch(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        key = self.get_row(object_id)
        if not self.model_admin.has_change_permission(request, key):
            raise PermissionDenied
        self.key = key
        return super().dispatch(request)

    def get(self, request: HttpRequest) -> HttpResponse:
        last_used = format_relative_time(self.key.last_used_at)
        context = {"title": _("Revoke API key"), "original": self.key, "last_used": last_used}
        return self.render(self.template, context)

    def post(self, request: HttpRequest) -> HttpResponse:
        self.model_admin.revoke(request, APIKey.objects.filter(pk=self.key.pk))
        return HttpResponseRedirect(page_url(self.model_admin, self.key.pk))
