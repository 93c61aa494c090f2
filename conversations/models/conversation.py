from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from django.conf import settings
from django.db import connections, models, router, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from conversations import errors, ids
from conversations.db.compiled import CompiledQuery, Parameter
from conversations.db.fields import BytewiseCharField, VerbatimJSONField
from conversations.db.replica import track_owner_writes
from conversations.db.retry import retry_on_conflict
from conversations.models import writer
from conversations.models.item import Item, ItemDataPage
from conversations.schema.query.nodes import EVERYTHING, Query
from conversations.search import planner
from conversations.search.item_text import ItemText, build_item_texts
from conversations.search.metadata_pair import MetadataPair
from conversations.search.planner import ConversationPage
from conversations.search.predicates import build_q

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


class ConversationQuerySet(models.QuerySet["Conversation"]):
    # Of a set that is all that this owner has. What is done with one of these takes a statement that is at hand.
    _whole_of_owner: Any = None

    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> ConversationQuerySet:
        deferring: Any = self.all()
        deferring._deferred_filter = False, (), {"owner": user.pk}  # until somebody asks for more than what is at hand
        visible: ConversationQuerySet = deferring
        if not (self.query.where.children or self.query.annotations):
            visible._whole_of_owner = user.pk
        return visible

    def matching(self, query: Query) -> ConversationQuerySet:
        """Keys and values compare by their bytes. To read matches in their order, ask `page` for them.

        `contains` is an error where nothing else bounds it and there are more than `MAX_READABLE` rows, and so is what
        items say where full-text search is off.
        """
        planner.check_bounded(self, query)
        return self.filter(build_q(query))

    @retry_on_conflict
    def page(
        self,
        *,
        limit: int,
        order: Literal["asc", "desc"],
        after: str | None = None,
        before: str | None = None,
        matching: Query = EVERYTHING,
    ) -> ConversationPage[Conversation]:
        """The `limit` conversations that follow `after`, or directly precede `before`, in this order of their ids.

        Either is a place in the order, whether or not there is a conversation with that id. Errors are those of
        the method `matching`.
        """
        return planner.page(self, limit=limit, order=order, after=after, before=before, query=matching)

    @retry_on_conflict
    def capped_count(self, maximum: int, *, matching: Query = EVERYTHING) -> int:
        """How many match, or `maximum` if there are more. Errors are those of the method `matching`."""
        return planner.capped_count(self, maximum, query=matching)

    def lock(self) -> None:
        """Take the locks of the rows, in the order of their ids: two who lock several never wait for each other."""
        rows = self.select_for_update().order_by("pk")
        if connections[rows.db].features.has_select_for_update:
            list(rows.values_list("pk"))
        else:
            self.update(last_position=F("last_position"))

    @retry_on_conflict
    def fill_full_text(self) -> int:
        """Add what items of these say and the index of words lacks, and tell how many items these were."""
        with transaction.atomic():
            self.lock()  # no item comes or goes meanwhile
            items = Item.objects.filter(conversation__in=list(self.values_list("pk", flat=True)))
            return ItemText.objects.add_missing(items)

    @retry_on_conflict
    def get_or_api_error(self, conversation_id: str) -> Conversation:
        """The conversation with this id, or the error that says there is none."""
        if self._whole_of_owner is None:
            conversation = self.filter(pk=conversation_id).first()
        else:
            conversation = _OWNED.first(using=self.db, id=conversation_id, owner=self._whole_of_owner)
        if conversation is None:
            raise errors.conversation_not_found(conversation_id)
        return conversation

    def items_page(
        self, conversation_id: str, *, limit: int, order: Literal["asc", "desc"], after: str | None = None
    ) -> ItemDataPage:
        """What the items of a page hold, which is `ItemQuerySet.page` of the conversation with this id."""
        if self._whole_of_owner is not None and (after is None or ids.is_well_formed(after)):
            page = Item.objects.using(self.db).data_page(
                conversation_id, owner_id=self._whole_of_owner, limit=limit, order=order, after=after
            )
            if page.data:
                return page
        rows = self.get_or_api_error(conversation_id).items.page(limit=limit, order=order, after=after)
        return ItemDataPage([item.data for item in rows.items], has_more=rows.has_more)

    def item_data(self, conversation_id: str, item_id: str) -> dict[str, Any]:
        """What the item with this id holds, in the conversation with that one."""
        if self._whole_of_owner is not None and ids.is_well_formed(item_id):
            data = Item.objects.using(self.db).data_of(conversation_id, item_id, owner_id=self._whole_of_owner)
            if data is not None:
                return data
        found: dict[str, Any] = self.get_or_api_error(conversation_id).items.get_or_api_error(item_id).data
        return found

    def add_items(self, conversation_id: str, *, items: Sequence[Mapping[str, Any]]) -> list[Item]:
        """Append to the conversation with this id, as its own method does."""
        if self._whole_of_owner is None or not writer.can_append(items, using=router.db_for_write(self.model)):
            return self.get_or_api_error(conversation_id).add_items(items=items)
        known = self.model.from_db(self.db, ["id", "owner_id"], [conversation_id, self._whole_of_owner])
        return known.add_items(items=items)


class Conversation(models.Model):
    """A list of items that belongs to a user. Write through the methods: they keep counters and index in step."""

    id = BytewiseCharField(
        _("id"), primary_key=True, max_length=ids.MAX_LENGTH, default=ids.new_conversation_id, editable=False
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="conversations",
        verbose_name=_("owner"),
        db_index=False,
    )
    created_at = models.DateTimeField(_("created at"), editable=False)
    metadata = VerbatimJSONField(_("metadata"), default=dict, blank=True)
    item_count = models.PositiveIntegerField(_("items"), default=0, editable=False)
    last_position = models.PositiveIntegerField(default=0, editable=False)
    last_item_at = models.DateTimeField(_("last item at"), null=True, editable=False)

    objects = ConversationQuerySet.as_manager()

    class Meta:
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        permissions = [
            ("read_content", "Can read the content of conversations"),
            ("export_conversation", "Can export conversations"),
        ]
        indexes = [models.Index(fields=["owner", "id"], name="conversations_owner_id")]

    def __str__(self) -> str:
        return str(self.id)

    @classmethod
    @track_owner_writes
    @retry_on_conflict
    def create_with_items(
        cls,
        *,
        owner: AbstractBaseUser,
        metadata: Mapping[str, str] | None = None,
        items: Sequence[Mapping[str, Any]] = (),
    ) -> Conversation:
        """Store the conversation with all of its items, or nothing. Metadata and items are taken as validated."""
        conversation_id = ids.new_conversation_id()
        conversation = cls(
            id=conversation_id,
            owner_id=owner.pk,
            created_at=ids.created_at(conversation_id),
            metadata=dict(metadata or {}),
        )
        using = router.db_for_write(cls)
        if writer.can_create(cls, items, using=using):
            rows = writer.first_items(conversation, items)
            writer.create(conversation, rows, build_item_texts(rows, using=using), using=using)
            return conversation
        with transaction.atomic(using=using):
            rows = writer.first_items(conversation, items)
            conversation.save(force_insert=True)
            MetadataPair.objects.add(conversation.metadata, conversation_id=conversation.pk, owner_id=owner.pk)
            Item.objects.bulk_create(rows)
            ItemText.objects.add(rows)
        return conversation

    @track_owner_writes
    @retry_on_conflict
    def add_items(self, *, items: Sequence[Mapping[str, Any]]) -> list[Item]:
        """Append validated items, all or none, and return them in their order.

        Raising the counter takes the row's lock, so parallel appends wait for each other here: positions are
        dense, never used twice, and reach other readers in their order.
        """
        now = timezone.now()
        using = router.db_for_write(Conversation, instance=self)
        if writer.can_append(items, using=using):
            rows = writer.new_items(self, items, first_position=1, now=now)
            writer.append(self, rows, build_item_texts(rows, using=using), using=using)
            return rows
        with transaction.atomic(using=using):
            count = sum(item["type"] != "compaction_trigger" for item in items)
            self._update_counters(
                item_count=F("item_count") + count,
                last_position=F("last_position") + count,
                **({"last_item_at": now} if count else {}),
            )
            rows = writer.new_items(self, items, first_position=self.last_position - count + 1, now=now)
            Item.objects.bulk_create(rows)
            ItemText.objects.add(rows)
            return rows

    @track_owner_writes
    @retry_on_conflict
    def delete_item(self, *, item_id: str) -> None:
        with transaction.atomic():
            self.lock()
            item = self.items.get_or_api_error(item_id)
            item.delete()
            self.item_texts.filter(position=item.position).delete()  # also of when full-text search was on
            self._update_counters(item_count=F("item_count") - 1)

    @track_owner_writes
    @retry_on_conflict
    def replace_metadata(self, *, metadata: Mapping[str, str]) -> None:
        self.metadata = dict(metadata)
        with transaction.atomic():
            self._update(metadata=self.metadata)
            MetadataPair.objects.replace(self.metadata, conversation_id=self.pk, owner_id=self.owner_id)

    @track_owner_writes
    @retry_on_conflict
    def delete_with_items(self) -> None:
        with transaction.atomic():
            self.lock()  # so that no append comes in between
            self.delete()

    def lock(self) -> None:
        """Take the row's lock by a write, which even SQLite's deferred transactions wait for."""
        self._update(last_position=F("last_position"))

    def _update_counters(self, **values: Any) -> None:
        self._update(**values)
        self.refresh_from_db(fields=list(values))

    def _update(self, **values: Any) -> None:
        if not Conversation.objects.filter(pk=self.pk).update(**values):
            raise errors.conversation_not_found(self.pk)


def _owned() -> Any:
    owner = Parameter("owner", of=Conversation._meta.get_field("owner"))
    return Conversation._default_manager.filter(pk=Parameter("id", of=Conversation._meta.pk), owner=owner)


_OWNED: CompiledQuery[Conversation] = CompiledQuery(_owned)
