from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from conversations import ids
from conversations.admin import metadata
from conversations.admin.actions.delete_confirmation import DeletionSummary
from conversations.admin.base import AppModelAdmin
from conversations.admin.keyset import CappedPaginator, KeysetChangeList
from conversations.admin.list.columns import format_time
from conversations.models import DeletedConversation
from conversations.trash import RestoreError, restore
from conversations.users import find_user


@admin.register(DeletedConversation)
class DeletedConversationAdmin(AppModelAdmin):
    """The trash: metadata and times of deleted conversations. To read their messages, restore them."""

    max_restored_items: ClassVar[int] = 20_000  # per request; restoring them takes some seconds
    actions = ("restore_selected", "delete_selected")
    fields = ("conversation_id", "owner_name", "created", "metadata_pairs", "item_count", "deleted", "by", "until")
    list_display = ("conversation_id", "owner_name", "metadata_pairs", "item_count", "deleted", "by", "until")
    ordering = ("-id",)
    paginator = CappedPaginator
    readonly_fields = fields
    search_fields = ("conversation_id", "owner")
    search_help_text = _("A complete conversation id, or the username of an owner")
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    sortable_by = ()

    class Media:
        css: ClassVar = {"all": ("conversations/admin.css", "conversations/trash.css")}

    @admin.display(description=_("owner"))
    def owner_name(self, deleted: DeletedConversation) -> str:
        if deleted.owner is None:
            return gettext("%(name)s (deleted user)") % {"name": deleted.owner_username}
        return str(deleted.owner)

    @admin.display(description=_("metadata"))
    def metadata_pairs(self, deleted: DeletedConversation) -> str:
        return metadata.render_pairs(deleted.metadata)

    @admin.display(description=_("created at"))
    def created(self, deleted: DeletedConversation) -> str:
        return format_time(deleted.created_at)

    @admin.display(description=_("deleted at"))
    def deleted(self, deleted: DeletedConversation) -> str:
        return format_time(deleted.deleted_at)

    @admin.display(description=_("deleted by"))
    def by(self, deleted: DeletedConversation) -> str:
        return str(deleted.deleted_by_username)

    @admin.display(description=_("can be restored until"))
    def until(self, deleted: DeletedConversation) -> str:
        return format_time(deleted.restorable_until)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        return KeysetChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("owner")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        if term.startswith(ids.CONVERSATION_PREFIX):
            return queryset.filter(conversation_id=term), False
        owner = find_user(term, include_hidden=True)
        is_owned = Q(owner=None, owner_username=term)
        return queryset.filter(is_owned | Q(owner=owner) if owner else is_owned), False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: DeletedConversation | None = None) -> bool:
        return False

    def has_restore_permission(self, request: HttpRequest, obj: DeletedConversation | None = None) -> bool:
        """Whether the user may see deleted conversations and delete others: restoring undoes a deletion."""
        return self.has_view_permission(request, obj) and request.user.has_perm("conversations.delete_conversation")

    @admin.action(permissions=["restore"], description=_("Restore selected conversations"))
    def restore_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._restore(request, queryset.order_by("id"))

    @admin.action(permissions=["delete"], description=_("Delete selected conversations for good"))
    def delete_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        return delete_selected(self, request, queryset)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.restore_view)
        url = path("<path:object_id>/restore/", view, name="conversations_deletedconversation_restore")
        return [url, *super().get_urls()]

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
                text = gettext("“%(id)s” is too long to restore here; an operator can restore it.")
                self.message_user(request, text % {"id": deleted}, messages.WARNING)
                continue
            item_count += deleted.item_count
            if item_count > self.max_restored_items:
                remaining_count += 1
                continue
            try:
                restore(deleted)
            except RestoreError as error:
                self.message_user(request, str(error), messages.ERROR)
            else:
                restored_count += 1
        if remaining_count:
            text = ngettext(
                "%(count)d conversation was not restored yet. Select it again to restore it.",
                "%(count)d conversations were not restored yet. Select them again to restore them.",
                remaining_count,
            )
            self.message_user(request, text % {"count": remaining_count}, messages.WARNING)
        if restored_count:
            text = ngettext("Restored %(count)d conversation.", "Restored %(count)d conversations.", restored_count)
            self.message_user(request, text % {"count": restored_count}, messages.SUCCESS)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context["has_restore_permission"] = self.has_restore_permission(request, context["original"])
        return super().render_change_form(request, context, *args, **kwargs)

    def get_deleted_objects(self, objs: Iterable[Any], request: HttpRequest) -> DeletionSummary:
        """Return the ids only. Django's implementation would load the stored content."""
        rows = [str(deleted) for deleted in objs]
        return rows, {str(self.opts.verbose_name_plural): len(rows)}, set(), []

    def delete_model(self, request: HttpRequest, obj: DeletedConversation) -> None:
        DeletedConversation.objects.filter(pk=obj.pk).delete_with_parts()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        DeletedConversation.objects.filter(pk__in=list(queryset.values_list("pk", flat=True))).delete_with_parts()
