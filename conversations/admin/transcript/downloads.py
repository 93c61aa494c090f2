"""Downloads of an item as JSON, and of a file that an item holds. Each is recorded as reading the conversation."""

from __future__ import annotations

from typing import Any

import orjson
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.http import content_disposition_header

from conversations.admin.base import ModelAdminView
from conversations.admin.content.access import read_item
from conversations.admin.transcript.stored_files import find_file
from conversations.models import Item


class ItemDownloadView(ModelAdminView):
    """Download an item as a file, complete: the transcript truncates long items."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest, object_id: str, item_id: str) -> HttpResponse:
        item = self.read_item(object_id, item_id)
        content = orjson.dumps(item.data, option=orjson.OPT_INDENT_2)
        return attachment(content, name=f"{item.item_id}.json.txt", content_type="text/plain; charset=utf-8")

    def read_item(self, object_id: str, item_id: str) -> Item:
        conversation: Any = self.model_admin.get_object(self.request, unquote(object_id))
        if conversation is None:
            raise Http404
        if not self.model_admin.has_view_permission(self.request, conversation):
            raise PermissionDenied
        item = read_item(self.model_admin, self.request, conversation, item_id=item_id)
        if item is None:
            raise Http404
        return item


class StoredFileView(ItemDownloadView):
    """Download an image or a file that an item holds."""

    def get(self, request: HttpRequest, object_id: str, item_id: str, key: str = "") -> HttpResponse:
        item = self.read_item(object_id, item_id)
        file = find_file(item.data, key)
        if file is None:
            raise Http404
        return attachment(file.content, name=file.download_name(item.item_id), content_type=file.media_type)


def attachment(content: bytes, *, name: str, content_type: str) -> HttpResponse:
    """Return a file that browsers save. If one displayed it nevertheless, the policy would let it do nothing."""
    response = HttpResponse(content, content_type=content_type)
    response.headers["Content-Disposition"] = content_disposition_header(True, name)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response
