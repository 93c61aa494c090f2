from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from conversations.admin.actions.selection import Selection, list_url
from conversations.admin.actions.trash import restore_context
from conversations.admin.base import ModelAdminView
from conversations.admin.list.change_list import TOO_LONG
from conversations.db.timeouts import QueryTimeout
from conversations.errors import APIError
from conversations.models import Conversation

BATCH = 100
SELECTED, MATCHING = "selected", "matching"


class Confirmation(forms.Form):
    """What was on the page when it was confirmed, and how far the deletion has come since."""

    scope = forms.ChoiceField(choices=[(SELECTED, SELECTED), (MATCHING, MATCHING)], widget=forms.HiddenInput)
    expected = forms.CharField(widget=forms.HiddenInput)
    newest_id = forms.CharField(widget=forms.HiddenInput)
    after = forms.CharField(widget=forms.HiddenInput, required=False)
    deleted = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    kept = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    typed = forms.CharField(required=False)

    def clean(self) -> dict[str, Any]:
        if self.cleaned_data.get("typed") != self.cleaned_data.get("expected"):
            self.add_error("typed", _("This is not what was asked for. Nothing was deleted."))
        return self.cleaned_data


@dataclass
class BulkDeleteProgress:
    deleted: int
    kept: int
    after: str
    is_complete: bool = False


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class BulkDeleteView(ModelAdminView):
    """Deletes any number of conversations: after a typed confirmation, one transaction each, some seconds at a time."""

    def dispatch(self, request: HttpRequest) -> HttpResponseBase:
        if not (self.model_admin.has_view_permission(request) and self.model_admin.has_delete_permission(request)):
            raise PermissionDenied
        return super().dispatch(request)

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._ask(request, Selection.from_list(self.model_admin, request), scope=MATCHING)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Delete the conversations whose ids are sent, or else the ones that the list with this query string shows."""
        is_selected = request.POST.get("scope") == SELECTED
        scope = SELECTED if is_selected else MATCHING
        selection = self._selected(request) if is_selected else Selection.from_list(self.model_admin, request)
        form = Confirmation(request.POST)
        if not form.is_valid():
            return self._ask(request, selection, scope=scope, typed=request.POST.get("typed", ""))
        if not form.cleaned_data["after"]:
            selection.record_search(request.user)
        progress = self._delete_some(request, selection, form.cleaned_data)
        if progress.is_complete:
            self._tell(request, progress)
            return HttpResponseRedirect(list_url(self.model_admin, request))
        again = Confirmation({**form.cleaned_data, **vars(progress)})
        return self._page(request, selection, again, progress)

    def confirm_selected(self, request: HttpRequest) -> HttpResponse:
        """Ask for confirmation to delete the conversations that are selected in the list."""
        self.setup(request)
        return self._ask(request, self._selected(request), scope=SELECTED)

    def _selected(self, request: HttpRequest) -> Selection:
        ids = request.POST.getlist(ACTION_CHECKBOX_NAME)
        return Selection(self.model_admin.get_queryset(request).filter(pk__in=ids))

    def _form_url(self, request: HttpRequest) -> str:
        site = self.model_admin.admin_site.name
        url = reverse("admin:conversations_conversation_bulk_deletion", current_app=site)
        return f"{url}?{request.GET.urlencode()}" if request.GET else url

    def _ask(self, request: HttpRequest, selection: Selection, *, scope: str, typed: str | None = None) -> HttpResponse:
        selection.record_search(request.user)
        try:
            refusal = "" if selection.newest_id else gettext("There is nothing to delete.")
        except QueryTimeout:
            refusal = str(TOO_LONG)
        if refusal:
            self.model_admin.message_user(request, refusal, messages.WARNING)
            return HttpResponseRedirect(list_url(self.model_admin, request))
        # Where the count is capped, no number would be true.
        is_known = selection.count is not None and not selection.is_capped
        expected = str(selection.count) if is_known else gettext("delete")
        asked = {"scope": scope, "expected": expected, "newest_id": selection.newest_id, "deleted": 0, "kept": 0}
        form = Confirmation(initial=asked) if typed is None else Confirmation({**asked, "typed": typed})
        return self._page(request, selection, form, None)

    def _page(
        self, request: HttpRequest, selection: Selection, form: Confirmation, progress: BulkDeleteProgress | None
    ) -> HttpResponse:
        context = {
            **restore_context(),
            "title": _("Delete conversations"),
            "selection": selection,
            "form": form,
            "progress": progress,
            "form_url": self._form_url(request),
            "selected_ids": request.POST.getlist(ACTION_CHECKBOX_NAME),
            "checkbox_name": ACTION_CHECKBOX_NAME,
            "list_url": list_url(self.model_admin, request),
        }
        return self.render(self.model_admin.bulk_deletion_template, context)

    def _delete_some(self, request: HttpRequest, selection: Selection, confirmed: dict[str, Any]) -> BulkDeleteProgress:
        progress = BulkDeleteProgress(confirmed["deleted"], confirmed["kept"], confirmed["after"])
        end = monotonic() + self.model_admin.bulk_deletion_seconds
        for conversation in self._oldest_first(selection, after=progress.after, newest_id=confirmed["newest_id"]):
            progress.after = conversation.pk
            self._delete_one(request, conversation, progress)
            if monotonic() >= end:
                return progress
        progress.is_complete = True
        return progress

    def _oldest_first(self, selection: Selection, *, after: str, newest_id: str) -> Iterator[Conversation]:
        """Those that were there when the deletion was confirmed: what came later has a greater id."""
        conversations, has_more = selection.conversations.filter(pk__lte=newest_id), True
        while has_more:
            page = conversations.page(limit=BATCH, order="asc", after=after or None, matching=selection.query)
            yield from page.conversations
            has_more = page.has_more
            after = page.conversations[-1].pk if page.conversations else after

    def _delete_one(self, request: HttpRequest, conversation: Conversation, progress: BulkDeleteProgress) -> None:
        _shown, _counts, perms_needed, protected = self.model_admin.get_deleted_objects([conversation], request)
        if perms_needed or protected:
            progress.kept += 1
            return
        with suppress(APIError), transaction.atomic():  # somebody else may just have deleted it
            self.model_admin.log_deletions(request, [conversation])
            self.model_admin.delete_model(request, conversation)
            progress.deleted += 1

    def _tell(self, request: HttpRequest, progress: BulkDeleteProgress) -> None:
        deleted = ngettext("Deleted %(count)d conversation.", "Deleted %(count)d conversations.", progress.deleted)
        self.model_admin.message_user(request, deleted % {"count": progress.deleted}, messages.SUCCESS)
        if progress.kept:
            kept = ngettext(
                "Kept %(count)d conversation that you may not delete or that other rows point to.",
                "Kept %(count)d conversations that you may not delete or that other rows point to.",
                progress.kept,
            )
            self.model_admin.message_user(request, kept % {"count": progress.kept}, messages.WARNING)
