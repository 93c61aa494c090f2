from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, cast

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from conversations import ids
from conversations.admin import metadata
from conversations.admin.deletion import Deletion, deletion_of
from conversations.admin.filters import MetadataFilter, OwnerFilter
from conversations.admin.paginator import CappedPaginator
from conversations.admin.transcript import Transcript
from conversations.errors import APIError
from conversations.models import Conversation, ConversationQuerySet
from conversations.schema.query_text import parse_query


@admin.register(Conversation)
class ConversationAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
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

    def get_fields(self, request: HttpRequest, obj: Conversation | None = None) -> Any:
        shown = "metadata" if self.has_change_permission(request, obj) else "metadata_pairs"
        return ("id", "owner", "created_at", "item_count", "last_item_at", shown)

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
        context["transcript"] = self.transcript_class(obj, parameters=request.GET)
        return super().render_change_form(request, context, add, change, form_url, obj)

    def get_deleted_objects(self, objs: Iterable[Any], request: HttpRequest) -> Deletion:
        return deletion_of(objs, request=request, model_admin=self)

    def delete_model(self, request: HttpRequest, obj: Conversation) -> None:
        obj.delete_with_items()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        with transaction.atomic():
            for conversation in queryset:
                conversation.delete_with_items()
