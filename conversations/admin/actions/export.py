from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Generator
from typing import Any, ClassVar, NamedTuple

from asgiref.sync import sync_to_async
from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIRequest
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from conversations.admin import permissions
from conversations.admin.actions.selection import Selection, list_url
from conversations.models import AccessRecord, Conversation
from conversations.transfer.exporter import Export, Format

GZIP = zlib.MAX_WBITS + 16


class FileFormat(NamedTuple):
    label: str | Promise
    format: Format
    suffix: str
    content_type: str
    holds_content: bool = True
    is_compressed: bool = False


FILE_FORMATS = {
    "jsonl": FileFormat(
        _("JSON Lines: conversations and items, which “import_conversations” takes"),
        "jsonl",
        "jsonl",
        "application/jsonl",
    ),
    "jsonl.gz": FileFormat(
        _("JSON Lines, compressed with gzip"), "jsonl", "jsonl.gz", "application/gzip", is_compressed=True
    ),
    "csv": FileFormat(
        _("CSV with a row for each conversation: its facts and metadata, nothing of what was said"),
        "csv",
        "csv",
        "text/csv; charset=utf-8",
        holds_content=False,
    ),
    "items-csv": FileFormat(_("CSV with a row for each item"), "items-csv", "items.csv", "text/csv; charset=utf-8"),
}


class ExportForm(forms.Form):
    file_format = forms.ChoiceField(label=_("Format"), widget=forms.RadioSelect)

    def __init__(self, *args: Any, may_hold_content: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [
            (name, each.label) for name, each in FILE_FORMATS.items() if may_hold_content or not each.holds_content
        ]
        self.fields["file_format"].choices = choices  # type: ignore[attr-defined]
        self.fields["file_format"].initial = choices[0][0]


class ExportMixin(admin.ModelAdmin):  # type: ignore[type-arg]
    """What the list shows, or one conversation, as a file that is written while it is read."""

    export_template = "admin/conversations/export.html"

    class Media:
        css: ClassVar = {"all": ("conversations/list_actions.css",)}

    def has_export_permission(self, request: HttpRequest, obj: Conversation | None = None) -> bool:
        """To take away what items say. For a list it is asked without a conversation."""
        return permissions.may_export(request)

    def has_export_facts_permission(self, request: HttpRequest, obj: Conversation | None = None) -> bool:
        """To take away what the list shows those who may not read content."""
        return permissions.may_export_facts(request)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("export/", view(self.export_list_view), name="conversations_conversation_export_list"),
            path("<path:object_id>/export/", view(self.export_view), name="conversations_conversation_export"),
            *super().get_urls(),
        ]

    def export_list_view(self, request: HttpRequest) -> HttpResponseBase:
        if not self._may_export(request):
            raise PermissionDenied
        return self._export(request, Selection.from_list(self, request))

    def export_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        conversation = self.get_object(request, unquote(object_id))
        if conversation is None:
            raise Http404
        if not self._may_export(request, conversation):
            raise PermissionDenied
        selection = Selection(self.get_queryset(request).filter(pk=conversation.pk))  # type: ignore[arg-type]
        return self._export(request, selection, conversation)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"may_export": self._may_export(request), **(extra_context or {})})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"may_export": self._may_export(request), **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)

    def _may_export(self, request: HttpRequest, obj: Conversation | None = None) -> bool:
        return self.has_view_permission(request, obj) and (
            self.has_export_permission(request, obj) or self.has_export_facts_permission(request, obj)
        )

    def _export(
        self, request: HttpRequest, selection: Selection, conversation: Conversation | None = None
    ) -> HttpResponseBase:
        form = ExportForm(
            request.POST if request.method == "POST" else None,
            may_hold_content=self.has_export_permission(request, conversation),
        )
        if form.is_valid():
            return self._download(request, selection, conversation, FILE_FORMATS[form.cleaned_data["file_format"]])
        selection.record_search(request.user)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Export conversations") if conversation is None else _("Export conversation"),
            "opts": self.opts,
            "media": self.media,
            "original": conversation,
            "selection": selection,
            "form": form,
            "may_hold_content": self.has_export_permission(request, conversation),
            "list_url": list_url(self, request),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, self.export_template, context)

    def _download(
        self, request: HttpRequest, selection: Selection, conversation: Conversation | None, file: FileFormat
    ) -> HttpResponseBase:
        export = Export(selection.conversations, query=selection.query, format=file.format)
        record = AccessRecord.objects.record(
            user=request.user,
            action=AccessRecord.Action.EXPORT,
            conversation_id=conversation.pk if conversation else "",
            query=selection.filters,
        )
        chunks = _recorded(export, record)
        if file.is_compressed:
            chunks = _compressed(chunks)
        name = f"{conversation.pk if conversation else 'conversations'}-{timezone.localdate():%Y-%m-%d}.{file.suffix}"
        return StreamingHttpResponse(
            _in_turn(chunks) if isinstance(request, ASGIRequest) else chunks,
            content_type=file.content_type,
            headers={
                "Content-Disposition": f'attachment; filename="{name}"',
                "X-Content-Type-Options": "nosniff",
                "X-Accel-Buffering": "no",
            },
        )


def _recorded(export: Export, record: AccessRecord) -> Generator[bytes]:
    """The number is of what was sent, also where the browser left early."""
    try:
        yield from export
    finally:
        record.complete(conversation_count=export.conversation_count)


def _compressed(chunks: Generator[bytes]) -> Generator[bytes]:
    compressor = zlib.compressobj(level=6, wbits=GZIP)
    for chunk in chunks:
        if compressed := compressor.compress(chunk):
            yield compressed
    yield compressor.flush()


async def _in_turn(chunks: Generator[bytes]) -> AsyncIterator[bytes]:
    """Under ASGI Django would collect all of a plain iterator in memory."""
    try:
        while (chunk := await sync_to_async(lambda: next(chunks, None))()) is not None:
            yield chunk
    finally:
        await sync_to_async(chunks.close)()
