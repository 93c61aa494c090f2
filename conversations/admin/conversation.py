from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, cast

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

from conversations import ids
from conversations.admin import metadata, rights
from conversations.admin.deletion import Deletion, deletion_of
from conversations.admin.filters import MetadataFilter, OwnerFilter
from conversations.admin.items import download_of
from conversations.admin.paginator import CappedPaginator
from conversations.admin.reading import kept_choices
from conversations.admin.security import ContentSecurityPolicyMixin
from conversations.admin.transcript import Transcript
from conversations.errors import APIError
from conversations.models import AccessRecord, Conversation, ConversationQuerySet
from conversations.schema.query_text import parse_query


@admin.register(Conversation)
class ConversationAdmin(ContentSecurityPolicyMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    form = metadata.ConversationForm
    list_display = ("id", "created_at", "owner", "metadata_pairs", "item_count")
    list_display_links = ("id",)
    list_filter = (OwnerFilter, MetadataFilter)
    ordering = ("-id",)
    paginator = CappedPaginator
    search_fields = ("id",)
    search_help_text = _(
        'The whole id of a conversation, or conditions: topic:demo tenant:* -metadata["order id"]:"6735"'
    )
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    sortable_by = ("id",)
    transcript_class: ClassVar[type[Transcript]] = Transcript

    class Media:
        css: ClassVar = {"all": ("conversations/admin.css",)}

    @admin.display(description=_("metadata"))
    def metadata_pairs(self, conversation: Conversation) -> str:
        return metadata.pairs(conversation.metadata)

    @admin.display(description=_("transcript"))
    def transcript_refusal(self, conversation: Conversation) -> str:
        return rights.missing_right()

    def get_fields(self, request: HttpRequest, obj: Conversation | None = None) -> Any:
        shown = "metadata" if self.has_change_permission(request, obj) else "metadata_pairs"
        refusal = () if self.has_read_content_permission(request, obj) else ("transcript_refusal",)
        return ("id", "owner", "created_at", "item_count", "last_item_at", shown, *refusal)

    def get_readonly_fields(self, request: HttpRequest, obj: Conversation | None = None) -> Any:
        return [name for name in self.get_fields(request, obj) if name != "metadata"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("owner")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By the whole id, or else by the typed language."""
        text = search_term.strip()
        if text.startswith(ids.CONVERSATION_PREFIX):
            return queryset.filter(pk=text), False
        try:
            return cast(ConversationQuerySet, queryset).matching(parse_query(text)), False
        except APIError as error:
            self.message_user(request, error.message, messages.ERROR)
            return queryset.none(), False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_read_content_permission(self, request: HttpRequest, obj: Conversation | None = None) -> bool:
        return rights.may_read_content(request)

    def has_export_permission(self, request: HttpRequest, obj: Conversation | None = None) -> bool:
        return rights.may_export(request)

    def record_reading(self, request: HttpRequest, conversation: Conversation) -> None:
        """To be called before any content is shown: where it fails, none is."""
        AccessRecord.objects.record(user=request.user, action=AccessRecord.Action.READ, conversation_id=conversation.pk)

    def save_model(self, request: HttpRequest, obj: Conversation, form: ModelForm[Any], change: bool) -> None:
        if "metadata" in form.changed_data:
            obj.replace_metadata(metadata=form.cleaned_data["metadata"])

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        context["transcript"] = None
        if self.has_read_content_permission(request, obj):
            self.record_reading(request, obj)
            choices = kept_choices(request)
            context["transcript"] = self.transcript_class(obj, parameters=request.GET, choices=choices)
        return super().render_change_form(request, context, add, change, form_url, obj)

    def get_urls(self) -> list[URLPattern]:
        item_url = path(
            "<path:object_id>/items/<str:item_id>/",
            self.admin_site.admin_view(self.item_view),
            name="conversations_conversation_item",
        )
        return [item_url, *super().get_urls()]

    def item_view(self, request: HttpRequest, object_id: str, item_id: str) -> HttpResponse:
        """The whole of an item as a file: its page shows long ones in part."""
        conversation = self.get_object(request, unquote(object_id))
        if conversation is None:
            raise Http404
        if not (
            self.has_view_permission(request, conversation) and self.has_read_content_permission(request, conversation)
        ):
            raise PermissionDenied
        item = conversation.items.filter(item_id=item_id).first()
        if item is None:
            raise Http404
        self.record_reading(request, conversation)
        return download_of(item)

    def get_deleted_objects(self, objs: Iterable[Any], request: HttpRequest) -> Deletion:
        return deletion_of(objs, request=request, model_admin=self)

    def delete_model(self, request: HttpRequest, obj: Conversation) -> None:
        obj.delete_with_items()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        with transaction.atomic():
            for conversation in queryset:
                conversation.delete_with_items()
