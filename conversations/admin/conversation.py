from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, cast

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

from conversations.admin import metadata, permissions
from conversations.admin.actions.bulk_delete import BulkDeletionMixin
from conversations.admin.actions.delete_confirmation import DeletionSummary, summarize_deletion
from conversations.admin.actions.export import ExportMixin
from conversations.admin.actions.trash import TrashMixin
from conversations.admin.csp import ContentSecurityPolicyMixin
from conversations.admin.display_preferences import shortcuts_enabled, transcript_choices
from conversations.admin.keyset import CappedPaginator
from conversations.admin.list.change_list import PREFERENCE_PARAMETERS, ConversationChangeList, url_without_preferences
from conversations.admin.list.columns import COLUMNS, DEFAULT, FIRST, Columns, format_time, save_columns
from conversations.admin.list.filter_form import apply_search, parse_search
from conversations.admin.list.prev_next import PrevNextLinks
from conversations.admin.list.previews import PREVIEWS, previews
from conversations.admin.list.snippets import TextSearchMixin
from conversations.admin.list.suggestions import SuggestionsMixin
from conversations.admin.overview import OverviewMixin
from conversations.admin.saved_view import SavedViewsMixin
from conversations.admin.transcript.item import download_response
from conversations.admin.transcript.page import Transcript
from conversations.errors import APIError
from conversations.models import AccessRecord, Conversation, ConversationQuerySet


@admin.register(Conversation)
class ConversationAdmin(
    SavedViewsMixin,
    ExportMixin,
    BulkDeletionMixin,
    SuggestionsMixin,
    TextSearchMixin,
    OverviewMixin,
    TrashMixin,
    ContentSecurityPolicyMixin,
    admin.ModelAdmin,  # type: ignore[type-arg]
):
    form = metadata.ConversationForm
    list_display = (FIRST, *DEFAULT)
    list_display_links = ("id",)
    list_per_page = 50  # half of Django's, in half of its time: that goes into the rows
    ordering = ("-id",)
    paginator = CappedPaginator  # of completion in the host's own forms: the list has none
    search_fields = ("id",)
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    sortable_by = ("id",)
    change_list_class: ClassVar[type[ConversationChangeList]] = ConversationChangeList
    transcript_class: ClassVar[type[Transcript]] = Transcript

    class Media:
        css: ClassVar = {
            "all": (
                "conversations/admin.css",
                "conversations/list.css",
                "conversations/completion.css",
                "conversations/shortcuts.css",
            )
        }

    @admin.display(description=_("metadata"))
    def metadata_pairs(self, conversation: Conversation) -> str:
        return metadata.render_pairs(conversation.metadata, url_of=getattr(conversation, "condition_url", None))

    @admin.display(description=COLUMNS["created"])
    def created(self, conversation: Conversation) -> str:
        return format_time(conversation.created_at)

    @admin.display(description=COLUMNS["last_item"])
    def last_item(self, conversation: Conversation) -> str:
        return format_time(conversation.last_item_at)

    @admin.display(description=COLUMNS["first_message"])
    def first_message(self, conversation: Conversation) -> str:
        preview = getattr(conversation, "preview", None)
        return preview.first_message if preview else ""

    @admin.display(description=COLUMNS["last_message"])
    def last_message(self, conversation: Conversation) -> str:
        preview = getattr(conversation, "preview", None)
        return preview.last_message if preview else ""

    @admin.display(description=_("transcript"))
    def transcript_refusal(self, conversation: Conversation) -> str:
        return permissions.missing_permission_message()

    def get_fields(self, request: HttpRequest, obj: Conversation | None = None) -> Any:
        shown = "metadata" if self.has_change_permission(request, obj) else "metadata_pairs"
        refusal = () if self.has_read_content_permission(request, obj) else ("transcript_refusal",)
        return ("id", "owner", "created", "item_count", "last_item", shown, *refusal)

    def get_readonly_fields(self, request: HttpRequest, obj: Conversation | None = None) -> Any:
        return [name for name in self.get_fields(request, obj) if name != "metadata"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("owner")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By the whole id, or else by the typed language. The list itself does without: its form has the search."""
        try:
            query = parse_search(search_term.strip())
            self.check_query(request, query)
            self.record_search(request, query, query_text=search_term)
            return apply_search(cast(ConversationQuerySet, queryset), search_term), False
        except APIError as error:
            self.message_user(request, error.message, messages.ERROR)
            return queryset.none(), False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ConversationChangeList]:
        return self.change_list_class

    def get_list_display(self, request: HttpRequest) -> Any:
        return Columns.from_request(request, self).of_list()

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.method == "GET" and any(name in request.GET for name in PREFERENCE_PARAMETERS):
            save_columns(request)
            shortcuts_enabled(request)
            return HttpResponseRedirect(url_without_preferences(request))
        context = {"columns": Columns.from_request(request, self), **self._shortcuts(request)}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def _shortcuts(self, request: HttpRequest) -> dict[str, Any]:
        return {
            "shortcuts": shortcuts_enabled(request),
            "shortcuts_url": f"{url_without_preferences(request)}&shortcuts=",
        }

    def add_previews(self, request: HttpRequest, conversations: Iterable[Conversation], *, query_text: str) -> None:
        """Where the list shows any, a single record tells of all of them, written before."""
        readable = [row for row in conversations if self.has_read_content_permission(request, row)]
        if not readable or not set(PREVIEWS).intersection(self.get_list_display(request)):
            return
        AccessRecord.objects.record(
            user=request.user,
            action=AccessRecord.Action.READ,
            query=query_text,
            conversation_count=len(readable),
        )
        found = previews(readable)
        for conversation in readable:
            conversation.preview = found.get(conversation.pk)  # type: ignore[attr-defined]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def record_reading(self, request: HttpRequest, conversation: Conversation) -> None:
        """To be called before any content is shown: where it fails, none is."""
        AccessRecord.objects.record(user=request.user, action=AccessRecord.Action.READ, conversation_id=conversation.pk)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            return super().change_view(request, object_id, form_url, extra_context)
        except APIError as error:
            return self._gone(request, object_id, error)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except APIError as error:
            return self._gone(request, object_id, error)

    def _gone(self, request: HttpRequest, object_id: str, error: APIError) -> HttpResponse:
        """Somebody else has deleted it since the page was asked for."""
        if error.status != 404:
            raise error
        return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]

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
        context |= self._shortcuts(request)
        context["neighbours"] = neighbours = PrevNextLinks(self, request, obj)
        context["metadata_pairs"] = metadata.render_pairs(obj.metadata, url_of=neighbours.condition_url)
        context["transcript"] = None
        if self.has_read_content_permission(request, obj):
            self.record_reading(request, obj)
            choices = transcript_choices(request)
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
        return download_response(item)

    def get_deleted_objects(self, objs: Iterable[Any], request: HttpRequest) -> DeletionSummary:
        return summarize_deletion(objs, request=request, model_admin=self)
