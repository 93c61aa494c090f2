from __future__ import annotations

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

from conversations.admin.actions.delete_confirmation import TypedForm, restore_context
from conversations.admin.actions.hold import warn_about_held
from conversations.admin.actions.selection import Selection, list_url
from conversations.admin.base import ModelAdminView, non_atomic
from conversations.admin.charts import format_count
from conversations.admin.content.search import RecordedSearch
from conversations.admin.list.change_list import TOO_SLOW
from conversations.db.timeouts import QueryTimeout
from conversations.errors import APIError
from conversations.models import AccessRecord, Conversation, RunRecord

BATCH = 100  # conversations read by one query
SELECTED, MATCHING = "selected", "matching"
NOTHING = {"deleted_count": 0, "kept_count": 0, "held_count": 0}


class ConfirmationForm(TypedForm):
    """The state of the confirmation page, and the progress of the deletion that it started."""

    scope = forms.ChoiceField(choices=[(SELECTED, SELECTED), (MATCHING, MATCHING)], widget=forms.HiddenInput)
    newest_id = forms.CharField(widget=forms.HiddenInput)
    after = forms.CharField(widget=forms.HiddenInput, required=False)
    deleted_count = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    kept_count = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    held_count = forms.IntegerField(widget=forms.HiddenInput, min_value=0)


@dataclass
class BulkDeleteProgress:
    """The values of the form's fields of the same names, and whether the deletion has reached the newest id."""

    deleted_count: int
    kept_count: int
    held_count: int
    after: str
    is_complete: bool = False


@method_decorator(non_atomic, name="dispatch")
class BulkDeleteView(ModelAdminView):
    """Deletion of any number of conversations after a typed confirmation.

    Each conversation is deleted in a transaction of its own. A request stops after `bulk_deletion_seconds` and answers
    with a page whose form continues the deletion.
    """

    def dispatch(self, request: HttpRequest) -> HttpResponseBase:
        if not (self.model_admin.has_view_permission(request) and self.model_admin.has_delete_permission(request)):
            raise PermissionDenied
        return super().dispatch(request)

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._ask(request, Selection.from_list(self.model_admin, request), scope=MATCHING)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Delete the conversations whose ids are posted, or the matches of the list with this query string."""
        is_selected = request.POST.get("scope") == SELECTED
        scope = SELECTED if is_selected else MATCHING
        selection = self._selected(request) if is_selected else Selection.from_list(self.model_admin, request)
        form = ConfirmationForm(request.POST)
        if not form.is_valid():
            return self._ask(request, selection, scope=scope, typed=request.POST.get("typed", ""))
        progress = self._delete_in_time(request, selection, form.cleaned_data)
        if progress.is_complete:
            self._report(request, progress)
            return HttpResponseRedirect(list_url(self.model_admin, request))
        next_form = ConfirmationForm({**form.cleaned_data, **vars(progress)})
        return self._page(request, selection, next_form, progress)

    def confirm_selected(self, request: HttpRequest) -> HttpResponse:
        """Ask for confirmation to delete the conversations that are selected in the list."""
        self.setup(request)
        return self._ask(request, self._selected(request), scope=SELECTED)

    def _selected(self, request: HttpRequest) -> Selection:
        ids = request.POST.getlist(ACTION_CHECKBOX_NAME)
        conversations = self.model_admin.get_queryset(request).filter(pk__in=ids)
        return Selection(RecordedSearch(self.model_admin, request, conversations))

    def _form_url(self, request: HttpRequest) -> str:
        site = self.model_admin.admin_site.name
        url = reverse("admin:conversations_conversation_bulk_deletion", current_app=site)
        return f"{url}?{request.GET.urlencode()}" if request.GET else url

    def _ask(self, request: HttpRequest, selection: Selection, *, scope: str, typed: str | None = None) -> HttpResponse:
        """Return the confirmation page, with an error if `typed` is given."""
        newest_id, refusal = "", selection.error
        try:
            newest_id = selection.find_newest_id()
        except QueryTimeout:
            refusal = str(TOO_SLOW)
        if not newest_id:
            self.model_admin.message_user(request, refusal or gettext("There is nothing to delete."), messages.WARNING)
            return HttpResponseRedirect(list_url(self.model_admin, request))
        expected = TypedForm.expect(selection.count)
        state = {"scope": scope, "expected": expected, "newest_id": newest_id, **NOTHING}
        form = ConfirmationForm(initial=state) if typed is None else ConfirmationForm({**state, "typed": typed})
        return self._page(request, selection, form, None)

    def _page(
        self, request: HttpRequest, selection: Selection, form: ConfirmationForm, progress: BulkDeleteProgress | None
    ) -> HttpResponse:
        context = {
            **restore_context(),
            "title": _("Delete conversations"),
            "verb": _("Delete"),
            "selection": selection,
            "form": form,
            "progress": progress,
            "deleted_count": format_count(progress.deleted_count) if progress else "",
            "form_url": self._form_url(request),
            "selected_ids": request.POST.getlist(ACTION_CHECKBOX_NAME),
            "selected": [] if progress else self._titles(request, form),
            "checkbox_name": ACTION_CHECKBOX_NAME,
            "list_url": list_url(self.model_admin, request),
        }
        return self.render(self.model_admin.bulk_deletion_template, context)

    def _titles(self, request: HttpRequest, form: ConfirmationForm) -> list[tuple[Conversation, str]]:
        """Return the selected conversations with their titles, in the order of the list."""
        if form["scope"].value() != SELECTED:
            return []
        ids = request.POST.getlist(ACTION_CHECKBOX_NAME)
        rows = self.model_admin.get_queryset(request).filter(pk__in=ids).order_by("-pk")
        titles: list[tuple[Conversation, str]] = self.model_admin.with_titles(request, rows)
        return titles

    def _delete_in_time(
        self, request: HttpRequest, selection: Selection, confirmed: dict[str, Any]
    ) -> BulkDeleteProgress:
        after, newest_id = confirmed["after"], confirmed["newest_id"]
        progress = BulkDeleteProgress(**{name: confirmed[name] for name in NOTHING}, after=after)
        conversations = selection.oldest_first(newest_id=newest_id, after=after, batch=BATCH)
        end = monotonic() + self.model_admin.bulk_deletion_seconds
        deletion = AccessRecord.Action.DELETE
        run_record = RunRecord(user=request.user, action=deletion, query=selection.filters)
        for conversation in conversations:
            progress.after = conversation.pk
            self._delete_one(request, conversation, progress, run_record)
            if monotonic() >= end:
                return progress
        progress.is_complete = True
        return progress

    def _delete_one(
        self, request: HttpRequest, conversation: Conversation, progress: BulkDeleteProgress, run_record: RunRecord
    ) -> None:
        if conversation.is_held:
            progress.held_count += 1
            return
        _rows, _counts, perms_needed, protected = self.model_admin.get_deleted_objects([conversation], request)
        if perms_needed or protected:
            progress.kept_count += 1
            return
        using = conversation.write_alias
        try:
            with transaction.atomic(using=using):
                self.model_admin.log_deletions(request, [conversation])
                self.model_admin.delete_model(request, conversation)
                run_record.add(1)
        except APIError as error:  # Another request may have deleted or held the conversation.
            progress.held_count += error.code == "conversation_held"
        else:
            progress.deleted_count += 1

    def _report(self, request: HttpRequest, progress: BulkDeleteProgress) -> None:
        count = progress.deleted_count
        text = ngettext("Deleted %(count)s conversation.", "Deleted %(count)s conversations.", count)
        self.model_admin.message_user(request, text % {"count": format_count(count)}, messages.SUCCESS)
        if progress.held_count:
            warn_about_held(self.model_admin, request, progress.held_count)
        if count := progress.kept_count:
            text = ngettext(
                "Kept %(count)s conversation that you may not delete or that other rows point to.",
                "Kept %(count)s conversations that you may not delete or that other rows point to.",
                count,
            )
            self.model_admin.message_user(request, text % {"count": format_count(count)}, messages.WARNING)
