from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from conversations.admin.actions.delete_confirmation import DeletionSummary
from conversations.admin.actions.hold import HoldView, refuse_if_held, warn_about_held
from conversations.admin.actions.read_deleted import ReadDeletedView
from conversations.admin.actions.retention_permissions import RetentionPermissions
from conversations.admin.base import EMPTY, AppModelAdmin
from conversations.admin.charts import format_count
from conversations.admin.content.titles import read_deleted_first_messages
from conversations.admin.keyset import CappedPaginator
from conversations.admin.list.cells import held_mark
from conversations.admin.list.titles import RowTitles, build_title
from conversations.admin.list.trash_list import TrashChangeList, search_trash
from conversations.admin.metadata.pairs import render_pairs
from conversations.admin.permissions import may_read_content, sees_all_conversations
from conversations.admin.times import format_relative_time, format_time, time_column
from conversations.models import DeletedConversation
from conversations.trash import RestoreError, restore


@admin.register(DeletedConversation)
class DeletedConversationAdmin(RowTitles, RetentionPermissions, AppModelAdmin):
    """The trash: metadata and times of deleted conversations, and their messages for those who may read content."""

    max_restored_items: ClassVar[int] = 20_000  # per request; restoring them takes some seconds
    actions = ("restore_selected", "delete_selected")
    fields: ClassVar[Any] = (
        *("conversation_id", "owner_name", "end_user"),
        time_column(DeletedConversation, "created_at"),
        *("metadata_pairs", "formatted_item_count"),
        time_column(DeletedConversation, "deleted_at"),
        *("by", "until", "is_held"),
    )
    list_display: Any = (
        *("title", "owner_name", "end_user", "metadata_pairs", "formatted_item_count"),
        time_column(DeletedConversation, "deleted_at", is_relative=True),
        *("by", "time_left"),
    )
    ordering = ("-id",)
    paginator = CappedPaginator
    readonly_fields: ClassVar[Any] = fields
    search_fields = ("conversation_id", "owner", "end_user")
    search_help_text = _("A conversation id, an owner, an end user, or metadata, e.g. order_id:A-77812")
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    sortable_by = ()

    class Media:
        css: ClassVar = {"all": ("conversations/admin.css", "conversations/trash.css")}

    @admin.display(description=_("conversation"))
    def title(self, deleted: DeletedConversation) -> str:
        text = getattr(deleted, "title", None) or build_title(deleted)  # The list has set it.
        mark = held_mark() if deleted.is_held else ""
        return format_html('<bdi title="{}">{}</bdi> {}', deleted.conversation_id, text, mark)

    @admin.display(description=_("owner"))
    def owner_name(self, deleted: DeletedConversation) -> str:
        if deleted.owner is None:
            return gettext("%(name)s (deleted user)") % {"name": deleted.owner_username}
        return str(deleted.owner)

    @admin.display(description=_("metadata"))
    def metadata_pairs(self, deleted: DeletedConversation) -> str:
        return render_pairs(deleted.metadata)

    @admin.display(description=_("items"))
    def formatted_item_count(self, deleted: DeletedConversation) -> str:
        return format_count(deleted.item_count)

    @admin.display(description=_("deleted by"))
    def by(self, deleted: DeletedConversation) -> str:
        return deleted.deleted_by_username or EMPTY

    @admin.display(description=_("can be restored until"))
    def until(self, deleted: DeletedConversation) -> str:
        return format_time(deleted.restorable_until)

    @admin.display(description=_("can be restored until"))
    def time_left(self, deleted: DeletedConversation) -> str:
        return format_relative_time(deleted.restorable_until)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[TrashChangeList]:
        return TrashChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("owner")

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        return search_trash(queryset, term) if term else queryset, False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: DeletedConversation | None = None) -> bool:
        return False

    def has_restore_permission(self, request: HttpRequest, obj: DeletedConversation | None = None) -> bool:
        """Whether the user may see deleted conversations and delete others: restoring undoes a deletion."""
        return self.has_view_permission(request, obj) and request.user.has_perm("conversations.delete_conversation")

    def read_first_messages(
        self, request: HttpRequest, rows: Sequence[DeletedConversation], *, query: str = ""
    ) -> dict[int, str]:
        return read_deleted_first_messages(self, request, rows, query=query)

    def has_read_content_permission(self, request: HttpRequest, obj: DeletedConversation | None = None) -> bool:
        """Whether the user may read messages in the trash, whose rows CONVERSATIONS_VISIBLE_TO does not narrow."""
        return may_read_content(request) and sees_all_conversations(request)

    @admin.action(permissions=["restore"], description=_("Restore selected conversations"))
    def restore_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._restore(request, queryset.order_by("id"))

    @admin.action(permissions=["delete"], description=_("Delete selected conversations for good"))
    def delete_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        if held_count := queryset.filter(is_held=True).count():
            warn_about_held(self, request, held_count)
            queryset = queryset.filter(is_held=False)
            if not queryset.exists():
                return None
        response = delete_selected(self, request, queryset)
        if isinstance(response, TemplateResponse):  # the confirmation
            verb = gettext("Delete for good")
            response.context_data = {**(response.context_data or {}), "title": verb, "verb": verb}
        return response

    def get_fields(self, request: HttpRequest, obj: DeletedConversation | None = None) -> Any:
        return [name for name in self.fields if name != "is_held" or (obj and obj.is_held)]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.restore_view)
        url = path("<path:object_id>/restore/", view, name="conversations_deletedconversation_restore")
        hold = self.route("<path:object_id>/hold/", HoldView, name="deletedconversation_hold")
        read = self.route("<path:object_id>/read/", ReadDeletedView, name="deletedconversation_read")
        return [url, hold, read, *super().get_urls()]

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        refusal = refuse_if_held(self, request, object_id)
        verb = gettext("Delete for good")
        context = {"title": verb, "verb": verb, **(extra_context or {})}
        return refusal or super().delete_view(request, object_id, context)

    def restore_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        deleted = self.get_object(request, object_id)
        if not self.has_restore_permission(request, deleted):
            raise PermissionDenied
        if deleted is None:
            raise Http404
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        self._restore(request, [deleted])
        url = reverse("admin:conversations_deletedconversation_changelist", current_app=self.admin_site.name)
        return HttpResponseRedirect(url)

    def _restore(self, request: HttpRequest, rows: Iterable[DeletedConversation]) -> None:
        """Restore as many of the conversations as one request has time for, and report the others."""
        restored_count = remaining_count = item_count = 0
        for deleted in rows:
            if deleted.item_count > self.max_restored_items:
                text = gettext("“%(title)s” is too long to restore here; an operator can restore it.")
                self.message_user(request, text % {"title": self.title_of(request, deleted)}, messages.WARNING)
                continue
            item_count += deleted.item_count
            if item_count > self.max_restored_items:
                remaining_count += 1
                continue
            try:
                restore(deleted, restored_by=request.user)
            except RestoreError as error:
                self.message_user(request, str(error), messages.ERROR)
            else:
                restored_count += 1
        if remaining_count:
            text = ngettext(
                "%(count)s conversation was not restored yet. Select it again to restore it.",
                "%(count)s conversations were not restored yet. Select them again to restore them.",
                remaining_count,
            )
            self.message_user(request, text % {"count": format_count(remaining_count)}, messages.WARNING)
        if restored_count:
            text = ngettext("Restored %(count)s conversation.", "Restored %(count)s conversations.", restored_count)
            self.message_user(request, text % {"count": format_count(restored_count)}, messages.SUCCESS)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context["title"], context["subtitle"] = self.title_of(request, context["original"]), None
        context["may_read"] = self.has_read_content_permission(request, context["original"])
        context["may_hold"] = self.has_hold_permission(request)
        context["has_restore_permission"] = self.has_restore_permission(request, context["original"])
        return super().render_change_form(request, context, *args, **kwargs)

    def get_deleted_objects(self, objs: Iterable[Any], request: HttpRequest) -> DeletionSummary:
        """Return the titles. Django's implementation would load the stored content."""
        is_confirmed = bool(request.POST.get("post"))  # Then no page shows the titles.
        rows = list(objs)
        titles = [""] * len(rows) if is_confirmed else [title for _row, title in self.with_titles(request, rows)]
        return titles, {str(self.opts.verbose_name_plural): len(rows)}, set(), []

    def delete_model(self, request: HttpRequest, obj: DeletedConversation) -> None:
        DeletedConversation.objects.filter(pk=obj.pk).delete_with_parts(deleted_by=request.user)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        selected = DeletedConversation.objects.filter(pk__in=list(queryset.values_list("pk", flat=True)))
        selected.delete_with_parts(deleted_by=request.user)
