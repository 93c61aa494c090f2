from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from typing import Any, NamedTuple

from asgiref.sync import sync_to_async
from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIRequest
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    QueryDict,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from conversations.admin.actions.selection import Selection, list_url
from conversations.admin.base import ModelAdminView
from conversations.admin.charts import format_count
from conversations.admin.content.search import RecordedSearch
from conversations.models import Conversation
from conversations.transfer.formats import Format
from conversations.transfer.gzip_stream import compress


class FileFormat(NamedTuple):
    """A choice of the form: a format of the exporter and the headers of its file."""

    label: str | Promise
    format: Format
    suffix: str
    content_type: str
    has_content: bool = True
    is_compressed: bool = False


FILE_FORMATS = {
    "jsonl": FileFormat(_("JSON Lines, full content (can be imported again)"), "jsonl", "jsonl", "application/jsonl"),
    "jsonl.gz": FileFormat(
        _("JSON Lines, compressed with gzip"), "jsonl", "jsonl.gz", "application/gzip", is_compressed=True
    ),
    "csv": FileFormat(
        _("CSV, one row per conversation (metadata only, no messages)"),
        "csv",
        "csv",
        "text/csv; charset=utf-8",
        has_content=False,
    ),
    "items-csv": FileFormat(_("CSV, one row per item"), "items-csv", "items.csv", "text/csv; charset=utf-8"),
    "html": FileFormat(_("HTML, a page to read or print"), "html", "html", "text/html; charset=utf-8"),
    "markdown": FileFormat(_("Markdown"), "markdown", "md", "text/markdown; charset=utf-8"),
    "messages": FileFormat(
        _("JSON Lines for fine-tuning (messages and function calls only)"),
        "messages",
        "messages.jsonl",
        "application/jsonl",
    ),
}


def format_choices(*, may_export_content: bool) -> list[tuple[str, str | Promise]]:
    return [(name, file.label) for name, file in FILE_FORMATS.items() if may_export_content or not file.has_content]


class ExportForm(forms.Form):
    file_format = forms.ChoiceField(label=_("Format"), widget=forms.RadioSelect)

    def __init__(self, *args: Any, may_export_content: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = format_choices(may_export_content=may_export_content)
        self.fields["file_format"].choices = choices  # type: ignore[attr-defined]
        self.fields["file_format"].initial = choices[0][0]


def can_export(model_admin: Any, request: HttpRequest, conversation: Conversation | None = None) -> bool:
    """Whether the user may export the conversation, or for None the list, with or without content."""
    may_export = model_admin.has_export_permission(request, conversation)
    may_export_facts = model_admin.has_export_facts_permission(request, conversation)
    return bool(model_admin.has_view_permission(request, conversation) and (may_export or may_export_facts))


class ExportView(ModelAdminView):
    """Download of the conversations of the list, or of a single one, as a file that is streamed while it is written."""

    conversation: Conversation | None = None

    def dispatch(self, request: HttpRequest, object_id: str | None = None) -> HttpResponseBase:
        if object_id is not None:
            self.conversation = self.get_row(object_id)
        if not can_export(self.model_admin, request, self.conversation):
            raise PermissionDenied
        return super().dispatch(request)

    def get(self, request: HttpRequest) -> HttpResponseBase:
        selection = self._selection(request)
        return self._refuse(request, selection) if selection.error else self._page(request, selection, self._form())

    def post(self, request: HttpRequest) -> HttpResponseBase:
        selection, form = self._selection(request), self._form(request.POST)
        if selection.error:
            return self._refuse(request, selection)
        if not form.is_valid():
            return self._page(request, selection, form)
        return self._download(request, selection, FILE_FORMATS[form.cleaned_data["file_format"]])

    def _selection(self, request: HttpRequest) -> Selection:
        if self.conversation is None:
            return Selection.from_list(self.model_admin, request)
        conversations = self.model_admin.get_queryset(request).filter(pk=self.conversation.pk)
        return Selection(RecordedSearch(self.model_admin, request, conversations))

    def _form(self, data: QueryDict | None = None) -> ExportForm:
        may_export_content = self.model_admin.has_export_permission(self.request, self.conversation)
        return ExportForm(data, may_export_content=may_export_content)

    def _page(self, request: HttpRequest, selection: Selection, form: ExportForm) -> HttpResponse:
        context = {
            "title": _("Export conversations") if self.conversation is None else _("Export conversation"),
            "original": self.conversation,
            "row_title": self.model_admin.title_of(request, self.conversation) if self.conversation else "",
            "item_count": format_count(self.conversation.item_count) if self.conversation else "",
            "selection": selection,
            "form": form,
            "may_export_content": self.model_admin.has_export_permission(request, self.conversation),
            "list_url": list_url(self.model_admin, request),
        }
        return self.render(self.model_admin.export_template, context)

    def _refuse(self, request: HttpRequest, selection: Selection) -> HttpResponse:
        self.model_admin.message_user(request, selection.error, messages.ERROR)
        return HttpResponseRedirect(list_url(self.model_admin, request))

    def _download(self, request: HttpRequest, selection: Selection, file: FileFormat) -> HttpResponseBase:
        chunks = selection.search.export(format=file.format, conversation=self.conversation)
        if file.is_compressed:
            chunks = compress(chunks)
        subject = self.conversation.pk if self.conversation else "conversations"
        name = f"{subject}-{timezone.localdate():%Y-%m-%d}.{file.suffix}"
        return StreamingHttpResponse(
            _iterate_async(chunks) if isinstance(request, ASGIRequest) else chunks,
            content_type=file.content_type,
            headers={
                "Content-Disposition": f'attachment; filename="{name}"',
                "X-Content-Type-Options": "nosniff",
                "X-Accel-Buffering": "no",
            },
        )


async def _iterate_async(chunks: Generator[bytes]) -> AsyncIterator[bytes]:
    """Yield the chunks under ASGI, where Django would first collect a synchronous iterator in memory."""
    try:
        while (chunk := await sync_to_async(lambda: next(chunks, None))()) is not None:
            yield chunk
    finally:
        await sync_to_async(chunks.close)()
