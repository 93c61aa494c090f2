from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, cast

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db import router, transaction
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import truncatechars
from django.urls import URLPattern
from django.utils.translation import gettext_lazy as _

from conversations.admin import permissions
from conversations.admin.actions.bulk_delete import BulkDeleteView
from conversations.admin.actions.delete_confirmation import DeletionSummary, restore_context, summarize_deletion
from conversations.admin.actions.erase import EraseView
from conversations.admin.actions.export import ExportView, can_export, format_choices
from conversations.admin.actions.hold import HoldView, refuse_held, refuse_if_held
from conversations.admin.actions.metadata_changes import MetadataChanges
from conversations.admin.actions.redact import RedactView
from conversations.admin.actions.retention_permissions import RetentionPermissions
from conversations.admin.actions.set_metadata import SetMetadataView
from conversations.admin.base import AppModelAdmin, page_url
from conversations.admin.content.access import read_items
from conversations.admin.content.previews import first_message
from conversations.admin.content.search import RecordedSearch
from conversations.admin.display_preferences import (
    save_shortcuts,
    save_transcript_preferences,
    shortcuts_enabled,
    transcript_preferences,
)
from conversations.admin.keyset import CappedPaginator
from conversations.admin.list.cells import FIRST, LAST_ITEM, ConversationCells
from conversations.admin.list.change_list import ConversationChangeList, url_without_choices
from conversations.admin.list.columns import DEFAULT, Columns, save_columns
from conversations.admin.list.displays import ConversationDisplays
from conversations.admin.list.filter_form import is_id
from conversations.admin.list.parameters import REPLACED_PARAMETERS
from conversations.admin.list.prev_next import PrevNextLinks
from conversations.admin.list.snippets import searched_item_url
from conversations.admin.list.suggestions import SuggestionsView
from conversations.admin.list.titles import MAX_TITLE, RowTitles, build_title
from conversations.admin.live import NewConversationsView, NewItemsView, new_items_url
from conversations.admin.metadata.form import ConversationForm
from conversations.admin.metadata.pairs import render_pairs
from conversations.admin.overview.view import OverviewView
from conversations.admin.panels import render_panels
from conversations.admin.saved_view import default_view_url, view_bar_context
from conversations.admin.transcript.downloads import ItemDownloadView, StoredFileView
from conversations.admin.transcript.page import Transcript
from conversations.conf import app_settings
from conversations.errors import APIError
from conversations.models import Conversation, ConversationQuerySet
from conversations.schema.query.parser import parse_query
from conversations.trash import move_to_trash


@admin.register(Conversation)
class ConversationAdmin(
    MetadataChanges, RowTitles, RetentionPermissions, ConversationCells, ConversationDisplays, AppModelAdmin
):
    """The list of conversations, their transcripts, and the actions on one, on some or on all of a search.

    A project may subclass it: the class attributes and the `has_…_permission` methods are its settings.
    """

    form = ConversationForm
    actions = ("set_metadata", "delete_selected")
    unscrubbed_fields = ("metadata_key", "metadata_value")  # Metadata stays as the application wrote it.
    list_display = (FIRST, *DEFAULT)
    list_display_links = None  # The title has the link.
    list_per_page = 50  # half of Django's default halves the time of a page
    ordering = ("-id",)
    paginator = CappedPaginator  # for autocomplete fields of your project: the list has no paginator
    search_fields = ("id",)
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    sortable_by = (FIRST, LAST_ITEM)
    view_on_site = False  # The absolute URL of a conversation leads to this admin.
    change_list_class: ClassVar[type[ConversationChangeList]] = ConversationChangeList
    transcript_class: ClassVar[type[Transcript]] = Transcript
    overview_days: ClassVar[tuple[int, ...]] = (30, 7, 90)  # periods to choose from; the first is the default
    overview_template = "conversations/overview.html"
    export_template = "admin/conversations/export.html"
    bulk_deletion_template = "admin/conversations/bulk_deletion.html"
    bulk_deletion_seconds: ClassVar[float] = 20  # per request; the page then asks to continue

    class Media:
        css: ClassVar = {
            "all": (
                "conversations/list_actions.css",
                "conversations/saved_views.css",
                "conversations/admin.css",
                "conversations/list.css",
                "conversations/rows.css",
                "conversations/list_narrow.css",
                "conversations/completion.css",
                "conversations/shortcuts.css",
            )
        }

    def get_fields(self, request: HttpRequest, obj: Conversation | None = None) -> Any:
        is_held = bool(obj and obj.is_held)
        may_edit = self.has_change_permission(request, obj) and not is_held
        metadata_field = "metadata" if may_edit else "metadata_pairs"
        hold = ("is_held",) if is_held else ()
        refusal = () if self.has_read_content_permission(request, obj) else ("transcript_refusal",)
        origin = ("origin",) if obj and obj.forked_from else ()
        end_user = ("end_user",) if obj and obj.end_user is not None else ()
        times = ("created_time", *origin, "formatted_item_count", "last_item_time")
        return ("id", *hold, "owner", *end_user, *times, metadata_field, *refusal)

    def get_readonly_fields(self, request: HttpRequest, obj: Conversation | None = None) -> Any:
        return [name for name in self.get_fields(request, obj) if name != "metadata"]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Conversation | None:
        """Return the conversation, with a link to its origin if the user may see that."""
        conversation: Any = super().get_object(request, object_id, from_field)
        if conversation and conversation.forked_from:
            origin = self.get_queryset(request).filter(pk=conversation.forked_from).first()
            if origin and self.has_view_or_change_permission(request, origin):
                conversation.origin_url = page_url(self, origin.pk)
        return cast(Conversation | None, conversation)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        conversations: Any = super().get_queryset(request).select_related("owner")
        visible: QuerySet[Any] = conversations.visible_to(request.user) if app_settings.visible_to else conversations
        return visible

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search for autocomplete fields, by id or in the query language. The list searches through its form."""
        if is_id(text := search_term.strip()):
            return queryset.filter(pk=text), False
        conversations = cast(ConversationQuerySet, queryset)
        try:
            search = RecordedSearch(self, request, conversations, parse_query(text), text=search_term)
            return search.all_matches(), False
        except APIError as error:
            self.message_user(request, error.message, messages.ERROR)
            return queryset.none(), False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ConversationChangeList]:
        return self.change_list_class

    def get_list_display(self, request: HttpRequest) -> Any:
        return Columns.for_request(request, self).list_display

    def get_urls(self) -> list[URLPattern]:
        item = "<path:object_id>/items/<str:item_id>/"
        return [
            self.route("new/<path:newest>/", NewConversationsView, name="conversation_new"),
            self.route("<path:object_id>/new/<int:position>/", NewItemsView, name="conversation_new_items"),
            self.route(f"{item}redact/", RedactView, name="conversation_redact"),
            self.route(item, ItemDownloadView, name="conversation_item"),
            self.route(f"{item}files/<slug:key>/", StoredFileView, name="conversation_file"),
            self.route("export/", ExportView, name="conversation_export_list"),
            self.route("<path:object_id>/export/", ExportView, name="conversation_export"),
            self.route("<path:object_id>/hold/", HoldView, name="conversation_hold"),
            self.route("erase/", EraseView, name="conversation_erase"),
            self.route("delete/", BulkDeleteView, name="conversation_bulk_deletion"),
            self.route("metadata/", SetMetadataView, name="conversation_metadata"),
            self.route("suggestions/", SuggestionsView, name="conversation_suggestions"),
            self.route("overview/", OverviewView, name="overview"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.method == "GET":
            if any(name in request.GET for name in REPLACED_PARAMETERS):
                save_columns(request, self)
                save_shortcuts(request)
                return HttpResponseRedirect(url_without_choices(request))
            if url := default_view_url(self, request):
                return HttpResponseRedirect(url)
            if url := searched_item_url(self, request):
                return HttpResponseRedirect(url)
        context = {
            **view_bar_context(self, request),
            **self._shortcuts_context(request),
            "columns": Columns.for_request(request, self),
            "live_seconds": str(app_settings.poll_seconds),
            "may_export": can_export(self, request),
            "may_delete_matching": self.has_delete_permission(request),
        }
        response = super().changelist_view(request, {**context, **(extra_context or {})})
        data = getattr(response, "context_data", None)
        if data and "cl" in data:
            data["title"] = truncatechars(data["cl"].form.title, MAX_TITLE) or data["title"]
        return response

    def _shortcuts_context(self, request: HttpRequest) -> dict[str, Any]:
        return {
            "shortcuts": shortcuts_enabled(request),
            "shortcuts_url": f"{url_without_choices(request)}&shortcuts=",
        }

    @admin.action(permissions=["delete"], description=_("Delete selected %(verbose_name_plural)s"))
    def delete_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
        """Ask for confirmation. This replaces Django's action, which would delete in one transaction."""
        return BulkDeleteView(model_admin=self).confirm_selected(request)

    def has_read_content_permission(self, request: HttpRequest, obj: Conversation | None = None) -> bool:
        """Whether the user may read the messages of a conversation, or for None search all messages."""
        return permissions.may_read_content(request)

    def has_export_permission(self, request: HttpRequest, obj: Conversation | None = None) -> bool:
        """Whether the user may export a conversation, or for None the list, with its content."""
        return permissions.may_export(request)

    def has_export_facts_permission(self, request: HttpRequest, obj: Conversation | None = None) -> bool:
        """Whether the user may export a conversation, or for None the list, without its content."""
        return permissions.may_export_facts(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {
            "may_export": can_export(self, request),
            "may_hold": self.has_hold_permission(request),
            "may_redact": self.has_redact_permission(request),
            **(extra_context or {}),
        }
        if request.method == "POST" and (response := refuse_if_held(self, request, object_id)):
            return response
        try:
            return super().change_view(request, object_id, form_url, context)
        except APIError as error:
            return self._refuse(request, object_id, error)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if response := refuse_if_held(self, request, object_id):
            return response
        try:
            return super().delete_view(request, object_id, {**restore_context(), **(extra_context or {})})
        except APIError as error:
            return self._refuse(request, object_id, error)

    def delete_model(self, request: HttpRequest, obj: Conversation) -> None:
        move_to_trash(obj, deleted_by=request.user)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        with transaction.atomic(using=router.db_for_write(Conversation)):
            for conversation in queryset:
                move_to_trash(conversation, deleted_by=request.user)

    def _refuse(self, request: HttpRequest, object_id: str, error: APIError) -> HttpResponse:
        """Redirect with a message if somebody else has held or deleted the conversation during this request."""
        if error.code == "conversation_held":
            return refuse_held(self, request, unquote(object_id))
        if error.status != 404:
            raise error
        return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]

    def save_model(self, request: HttpRequest, obj: Conversation, form: ModelForm[Any], change: bool) -> None:
        if "metadata" in form.changed_data:
            obj.replace_metadata(form.cleaned_data["metadata"], validate=False, changed_by=request.user)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        save_shortcuts(request)
        context |= self._shortcuts_context(request)
        context["neighbours"] = neighbours = PrevNextLinks(self, request, obj)
        context["metadata_pairs"] = render_pairs(obj.metadata, url_of=neighbours.condition_url)
        context["transcript"] = context["subtitle"] = None
        context["panels"] = render_panels(request, obj)
        context["title"] = build_title(obj)
        if self.has_read_content_permission(request, obj):
            items = read_items(self, request, obj)
            save_transcript_preferences(request)
            preferences = transcript_preferences(request)
            context["title"] = build_title(obj, first_message(items))
            context["transcript"] = self.transcript_class(
                obj, items=items, parameters=request.GET, preferences=preferences
            )
            context |= {"live_url": new_items_url(self, obj), "live_seconds": str(app_settings.poll_seconds)}
            if can_export(self, request, obj) and self.has_export_permission(request, obj):
                context["export_formats"] = format_choices(may_export_content=True)
        return super().render_change_form(request, context, add, change, form_url, obj)

    def get_deleted_objects(self, objs: Iterable[Any], request: HttpRequest) -> DeletionSummary:
        return summarize_deletion(objs, request=request, model_admin=self)
