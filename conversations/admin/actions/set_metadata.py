from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from conversations.admin.actions.selection import list_url
from conversations.admin.base import ModelAdminView, non_atomic
from conversations.admin.list.conditions import in_quotes
from conversations.db.retry import retry_on_conflict
from conversations.errors import APIError
from conversations.models import Actor, Conversation
from conversations.schema.json_limits import check_storable
from conversations.schema.metadata import MAX_KEY_LENGTH, MAX_VALUE_LENGTH


@retry_on_conflict
def set_pair(conversation: Conversation, key: str, value: str, *, changed_by: Actor) -> bool:
    """Set one pair of the metadata and keep the others. Return False if the conversation has the pair already.

    Raise `APIError` if the conversation is on legal hold or was deleted, or if it would have too many pairs.
    """
    using = conversation.write_alias
    with transaction.atomic(using=using):
        conversation.lock_for_change()
        conversation.refresh_from_db(using=using, fields=["metadata"])
        if conversation.metadata.get(key) == value:
            return False
        conversation.replace_metadata({**conversation.metadata, key: value}, changed_by=changed_by)
        return True


class PairForm(forms.Form):
    """A pair within the limits of the API, and the number of conversations, typed to confirm it."""

    key = forms.CharField(label=_("Key"), max_length=MAX_KEY_LENGTH, strip=False, widget=AdminTextInputWidget)
    value = forms.CharField(
        label=_("Value"), max_length=MAX_VALUE_LENGTH, strip=False, required=False, widget=AdminTextInputWidget
    )
    typed = forms.CharField(label=_("Number of conversations"), required=False, widget=AdminTextInputWidget)

    def __init__(self, data: Any = None, *, expected: str) -> None:
        super().__init__(data)
        self.expected = expected
        self.fields["typed"].help_text = gettext("Type %(number)s to confirm.") % {"number": expected}

    def clean_typed(self) -> str:
        typed: str = self.cleaned_data["typed"].strip()
        if typed != self.expected:
            raise forms.ValidationError(_("The number doesn't match. Nothing was changed."))
        return typed

    def clean(self) -> dict[str, Any]:
        pair = {self.cleaned_data.get("key", ""): self.cleaned_data.get("value", "")}
        try:
            check_storable(pair, path="metadata")
        except APIError as error:
            raise forms.ValidationError(error.message) from error
        return self.cleaned_data


@method_decorator(non_atomic, name="dispatch")
class SetMetadataView(ModelAdminView):
    """Set a metadata key of the selected conversations to one value, each in a transaction of its own."""

    http_method_names = ["post"]
    template: ClassVar[str] = "admin/conversations/set_metadata.html"

    def dispatch(self, request: HttpRequest) -> HttpResponseBase:
        if not (self.model_admin.has_view_permission(request) and self.model_admin.has_change_permission(request)):
            raise PermissionDenied
        return super().dispatch(request)

    def post(self, request: HttpRequest) -> HttpResponse:
        rows = self._selected(request)
        form = PairForm(request.POST, expected=str(len(rows)))
        if not rows or not form.is_valid():
            return self._page(request, rows, form)
        self._set(request, rows, form.cleaned_data["key"], form.cleaned_data["value"])
        return HttpResponseRedirect(list_url(self.model_admin, request))

    def ask(self, request: HttpRequest) -> HttpResponse:
        """Ask for the pair to set in the conversations that are selected in the list."""
        self.setup(request)
        rows = self._selected(request)
        return self._page(request, rows, PairForm(expected=str(len(rows))))

    def _selected(self, request: HttpRequest) -> list[Conversation]:
        """Return the selected conversations that the user may change, in the order of the list."""
        ids = request.POST.getlist(ACTION_CHECKBOX_NAME)
        rows = self.model_admin.get_queryset(request).filter(pk__in=ids).order_by("-pk")
        return [row for row in rows if self.model_admin.has_change_permission(request, row)]

    def _page(self, request: HttpRequest, rows: list[Conversation], form: PairForm) -> HttpResponse:
        if not rows:
            self.model_admin.message_user(request, gettext("There is nothing to change."), messages.WARNING)
            return HttpResponseRedirect(list_url(self.model_admin, request))
        url = reverse("admin:conversations_conversation_metadata", current_app=self.model_admin.admin_site.name)
        context = {
            "title": _("Set metadata"),
            "rows": rows,
            "selected": self.model_admin.with_titles(request, rows),
            "form": form,
            "form_url": f"{url}?{request.GET.urlencode()}" if request.GET else url,
            "checkbox_name": ACTION_CHECKBOX_NAME,
            "list_url": list_url(self.model_admin, request),
        }
        return self.render(self.template, context)

    def _set(self, request: HttpRequest, rows: list[Conversation], key: str, value: str) -> None:
        changed = same = 0
        held: list[Conversation] = []
        refused: list[tuple[Conversation, str]] = []
        for conversation in rows:
            try:
                if set_pair(conversation, key, value, changed_by=request.user):
                    self.model_admin.log_change(request, conversation, [{"changed": {"fields": ["Metadata"]}}])
                    changed += 1
                else:
                    same += 1
            except APIError as error:
                if error.code == "conversation_held":
                    held.append(conversation)
                else:
                    refused.append((conversation, error.message))
        self._report(request, key, changed, same)
        if held:
            titles = (in_quotes(title) for _row, title in self.model_admin.with_titles(request, held))
            text = gettext("On legal hold and not changed: %(titles)s")
            self._warn(request, text % {"titles": ", ".join(titles)})
        for conversation, message in refused:
            title = self.model_admin.title_of(request, conversation)
            text = gettext("“%(title)s” was not changed: %(reason)s")
            self._warn(request, text % {"title": title, "reason": message})

    def _report(self, request: HttpRequest, key: str, changed: int, same: int) -> None:
        text = ngettext(
            "Set “%(key)s” in %(count)d conversation.", "Set “%(key)s” in %(count)d conversations.", changed
        )
        parts = [text % {"key": key, "count": changed}]
        if same:
            text = ngettext("%(count)d had this value already.", "%(count)d had this value already.", same)
            parts.append(text % {"count": same})
        self.model_admin.message_user(request, " ".join(parts), messages.SUCCESS if changed else messages.INFO)

    def _warn(self, request: HttpRequest, text: str) -> None:
        self.model_admin.message_user(request, text, messages.WARNING)
