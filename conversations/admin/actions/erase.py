from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic
from typing import Any, ClassVar

from django import forms
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _

from conversations.admin.actions.delete_confirmation import TypedForm
from conversations.admin.actions.record_details import RECEIPT_LABELS
from conversations.admin.base import ModelAdminView, non_atomic
from conversations.admin.charts import format_count
from conversations.admin.filters import FilterForm
from conversations.admin.keyset import CappedCount
from conversations.admin.list.change_list import ConversationChangeList
from conversations.db.timeouts import QueryTimeout, time_limit
from conversations.models import AccessRecord, Conversation
from conversations.retention.erasure import Erasure, Position
from conversations.retention.person import Person
from conversations.retention.receipt import Receipt
from conversations.schema.end_user import MAX_END_USER_LENGTH
from conversations.schema.metadata import MAX_KEY_LENGTH, MAX_VALUE_LENGTH
from conversations.users import find_user

MAX_COUNT = ConversationChangeList.max_count
MAX_LISTED = 20  # conversations on legal hold
SECONDS = 10  # for the numbers of the preview


class PersonForm(FilterForm):
    """Form that reads the person from the query string, in the parameters of the list's filter."""

    owner = forms.CharField(label=_("Owner"), max_length=254, required=False)
    end_user = forms.CharField(label=_("End user"), max_length=MAX_END_USER_LENGTH, required=False)
    metadata_key = forms.CharField(label=_("Metadata key"), max_length=MAX_KEY_LENGTH, required=False, strip=False)
    metadata_value = forms.CharField(
        label=_("Metadata value"),
        help_text=_("If you fill in several fields, a conversation has to match all of them."),
        max_length=MAX_VALUE_LENGTH,
        required=False,
        strip=False,
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        owner = find_user(values["owner"], include_hidden=True) if values.get("owner") else None
        if values.get("owner") and owner is None:
            self.add_error("owner", _("No such user."))
        key, value = values.get("metadata_key"), values.get("metadata_value")
        if bool(key) != bool(value):
            self.add_error("metadata_value", _("Give both a key and a value."))
        if not self.errors:
            try:
                metadata = (key, value) if key and value else None
                self.person = Person(owner=owner, end_user=values["end_user"] or None, metadata=metadata)
            except ValueError:
                self.add_error(None, _("Name an owner, an end user or a metadata value."))
        return values


class ErasureForm(TypedForm):
    """The confirmation, and the signed state of the erasure that it started."""

    state = forms.CharField(widget=forms.HiddenInput, required=False)


@dataclass
class Preview:
    """The conversations of a person, in the trash too. There is no number if counting takes too long."""

    count: CappedCount | None = None
    trash_count: int = 0  # of `count`
    held_count: int = 0  # of those that stay, up to a maximum
    held_trash_count: int = 0  # of `held_count`
    held: list[Conversation] = field(default_factory=list)

    @classmethod
    def of(cls, person: Person) -> Preview:
        erasure = Erasure(person)
        try:
            with time_limit(SECONDS, using=erasure.using):
                preview = cls(held_count=erasure.count(MAX_COUNT, is_held=True), held=erasure.first_held(MAX_LISTED))
                number = erasure.count(MAX_COUNT + 1, is_held=False)
                for page in erasure.pages_of_copies():
                    preview.trash_count += sum(not copy.is_held for copy in page)
                    preview.held_trash_count += sum(copy.is_held for copy in page)
        except QueryTimeout:
            return cls()
        preview.held_count += preview.held_trash_count
        preview.count = CappedCount.cut(number + preview.trash_count, MAX_COUNT)
        return preview


@method_decorator(non_atomic, name="dispatch")
class EraseView(ModelAdminView):
    """Erasure of a person after a typed confirmation, with a receipt.

    A request stops after `bulk_deletion_seconds` and answers with a page whose form continues the erasure. The totals
    are in the access log. What the form has of them is signed for this user and this person.
    """

    form_template: ClassVar[str] = "admin/conversations/erase_form.html"
    template: ClassVar[str] = "admin/conversations/erase.html"
    receipt_template: ClassVar[str] = "admin/conversations/erase_receipt.html"

    def dispatch(self, request: HttpRequest) -> HttpResponseBase:
        if not (self.model_admin.has_view_permission(request) and self.model_admin.has_erase_permission(request)):
            raise PermissionDenied
        return super().dispatch(request)

    def get(self, request: HttpRequest) -> HttpResponse:
        if "receipt" in request.GET:
            return self._show_receipt(request.GET["receipt"])
        form = PersonForm(request.GET) if request.GET else PersonForm()
        return self._ask(form.person) if form.is_valid() else self._choose(form)

    def post(self, request: HttpRequest) -> HttpResponse:
        person_form, form = PersonForm(request.GET), ErasureForm(request.POST)
        if not person_form.is_valid():
            return self._choose(person_form)
        person = person_form.person
        if not form.is_valid():
            return self._ask(person, typed=request.POST.get("typed", ""))
        try:
            erasure = self._start_or_continue(person, form.cleaned_data["state"])
        except signing.BadSignature:
            return self._ask(person)
        if not erasure.receipt.finished_at and not self._erase_in_time(erasure):
            state = [erasure.record.pk if erasure.record else None, *erasure.position]
            token = signing.dumps(state, salt=self._salt(person))
            return self._page(person, ErasureForm({**form.cleaned_data, "state": token}), progress=erasure.receipt)
        return HttpResponseRedirect(f"{self._url()}?receipt={erasure.record.pk if erasure.record else ''}")

    def _start_or_continue(self, person: Person, state: str) -> Erasure:
        """Raise `BadSignature` if the state is not one of the same user and the same person."""
        user = self.request.user
        if not state:
            return Erasure(person, erased_by=user)
        record, *position = signing.loads(state, salt=self._salt(person))
        return Erasure(person, erased_by=user, record=self._record(record), position=Position(*position))

    def _erase_in_time(self, erasure: Erasure) -> bool:
        """Return whether the erasure is complete."""
        end = monotonic() + self.model_admin.bulk_deletion_seconds
        steps = iter(erasure)
        try:
            return all(monotonic() < end for _step in steps)
        finally:
            steps.close()

    def _salt(self, person: Person) -> str:
        owner = person.owner and person.owner.pk
        return repr((self.request.user.pk, owner, person.end_user, person.metadata))

    def _record(self, key: Any) -> AccessRecord:
        erasures = AccessRecord.objects.filter(Q(details__isnull=False), action=AccessRecord.Action.ERASURE)
        record = erasures.filter(pk=key).first()
        if record is None:
            raise Http404
        return record

    def _show_receipt(self, key: str) -> HttpResponse:
        record = self._record(key if key.isascii() and key.isdecimal() and len(key) < 19 else None)
        receipt = Receipt.from_dict(record.details)
        context = {
            "title": _("Erasure"),
            "record": record,
            "receipt": receipt,
            "counts": [(label, format_count(receipt.counts[name])) for name, label in RECEIPT_LABELS.items()],
            "may_view_log": self.request.user.has_perm("conversations.view_accessrecord"),
        }
        return self.render(self.receipt_template, context)

    def _choose(self, form: PersonForm) -> HttpResponse:
        return self.render(self.form_template, {"title": _("Erase person"), "form": form})

    def _ask(self, person: Person, *, typed: str | None = None) -> HttpResponse:
        """Return the confirmation page, with an error if `typed` is given."""
        preview = Preview.of(person)
        state = {"expected": TypedForm.expect(preview.count), "state": ""}
        form = ErasureForm(initial=state) if typed is None else ErasureForm({**state, "typed": typed})
        return self._page(person, form, selection=preview)

    def _page(self, person: Person, form: ErasureForm, **context: Any) -> HttpResponse:
        criteria = {"owner": person.owner, "end_user": person.end_user, "metadata": person.metadata}
        held = context["selection"].held if "selection" in context else []
        context |= {
            "title": _("Erase person"),
            "held": self.model_admin.with_titles(self.request, held),
            "verb": _("Erase"),
            "criteria": criteria,
            "form": form,
            "form_url": f"{self._url()}?{self.request.GET.urlencode()}",
            "list_url": reverse("admin:conversations_conversation_changelist", current_app=self._site),
        }
        return self.render(self.template, context)

    @property
    def _site(self) -> str:
        return str(self.model_admin.admin_site.name)

    def _url(self) -> str:
        return reverse("admin:conversations_conversation_erase", current_app=self._site)
