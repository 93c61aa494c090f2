from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from django.apps import apps
from django.db import connections, models, router, transaction
from django.db.models import F
from django.db.models.lookups import Exact
from django.db.models.sql.where import AND

from conversations import errors, ids
from conversations.db.compiled import CompiledQuery, Parameter
from conversations.db.hints import with_index_hint
from conversations.db.retry import retry_on_conflict
from conversations.models import writer
from conversations.models.item import Item, ItemDataPage
from conversations.schema.query.nodes import EVERYTHING, MetadataCondition, Query, conditions, is_bounded, searches_text
from conversations.search.item_text import ItemText, full_text_enabled
from conversations.search.metadata_pair import MetadataPair
from conversations.search.metadata_scan import MetadataScan
from conversations.search.predicates import build_q, metadata_correlated, value_condition
from conversations.search.text_scan import candidate_ids, count_matches, first_by_scan, first_candidates

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

    from conversations.models.conversation import Conversation

MAX_READABLE = 50_000  # rows that one query may read where no index finds what it asks for
MAX_IDS = 1_000  # that one statement names


@dataclass(frozen=True)
class ConversationPage:
    conversations: list[Conversation]
    has_more: bool


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
        self._check_bounded(query)
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
    ) -> ConversationPage:
        """The `limit` conversations that follow `after`, or directly precede `before`, in this order of their ids.

        Either is a place in the order, whether or not there is a conversation with that id. Errors are those of
        the method `matching`.
        """
        self._check_bounded(matching)
        is_ascending = (order == "asc") == (before is None)
        place = after if before is None else before
        rows = self._first(limit + 1, is_ascending=is_ascending, after=place, query=matching)
        page = rows[:limit] if before is None else rows[:limit][::-1]
        return ConversationPage(page, has_more=len(rows) > limit)

    @retry_on_conflict
    def capped_count(self, maximum: int, *, matching: Query = EVERYTHING) -> int:
        """How many match, or `maximum` if there are more. Errors are those of the method `matching`."""
        self._check_bounded(matching)
        owner_id = self._only_owner()
        has_other_filters = len(self.query.where.children) > (owner_id is not None)
        if isinstance(matching, MetadataCondition) and not has_other_filters:
            of_owner = {} if owner_id is None else {"owner": owner_id}
            pairs = MetadataPair.objects.using(self.db).filter(
                value_condition(matching, F("value")), key=matching.key, **of_owner
            )
            return pairs.values("key")[:maximum].count()
        scan = MetadataScan(matching, is_ascending=False, owner_id=owner_id, using=self.db)
        few = candidate_ids(matching, using=self.db)
        if few is not None or (searches_text(matching) and not scan.index_scans):
            return count_matches(self, maximum, query=matching, ids=few)
        if not scan.index_scans:
            by_id = build_q(matching, metadata=partial(metadata_correlated, id_name="pk"))
            return self.filter(by_id).order_by("-pk")[:maximum].count()
        matches = scan.ids(after=None, batch=maximum)
        if not has_other_filters:
            return sum(1 for _ in islice(matches, maximum))
        count = 0
        while count < maximum and (some := list(islice(matches, MAX_IDS))):
            count += self.filter(pk__in=some).count()
        return min(count, maximum)

    def _first(self, count: int, *, is_ascending: bool, after: str | None, query: Query) -> list[Conversation]:
        conversations = self.order_by("pk" if is_ascending else "-pk")
        owner_id = self._only_owner()
        scan = MetadataScan(query, is_ascending=is_ascending, owner_id=owner_id, using=self.db)
        few = candidate_ids(query, using=self.db)
        if few is not None or not scan.index_scans:
            if after is not None:
                conversations = conversations.filter(**{"pk__gt" if is_ascending else "pk__lt": after})
            if few is not None:
                return first_candidates(few, conversations, count, query=query, is_ascending=is_ascending)
            if searches_text(query):
                return first_by_scan(conversations, count, query=query, is_ascending=is_ascending)
            if owner_id is not None:
                conversations = with_index_hint(conversations, "conversations_owner_id")
            return list(
                conversations.filter(build_q(query, metadata=partial(metadata_correlated, id_name="pk")))[:count]
            )
        found: list[Conversation] = []
        matching = scan.ids(after=after, batch=count)
        while some := list(islice(matching, count - len(found))):
            found += conversations.filter(pk__in=some)
        return found

    def _only_owner(self) -> Any:
        """The owner that these conversations are filtered by, if they are: a part of the index is theirs alone."""
        where = self.query.where
        owner = self.model._meta.get_field("owner")
        filters = where.children if where.connector == AND and not where.negated else []
        return next((each.rhs for each in filters if isinstance(each, Exact) and each.lhs.target == owner), None)

    def _check_bounded(self, query: Query) -> None:
        if searches_text(query) and not full_text_enabled(using=self.db):
            raise errors.full_text_off()
        metadata = (each for each in conditions(query) if isinstance(each, MetadataCondition))
        part = next((each for each in metadata if each.operator == "contains"), None)
        if part and not is_bounded(query) and self.order_by()[: MAX_READABLE + 1].count() > MAX_READABLE:
            raise errors.unbounded_condition(f"metadata[{part.key}][contains]", maximum=MAX_READABLE)

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
            return ItemText.objects.add_missing(list(self.values_list("pk", flat=True)))

    @retry_on_conflict
    def get_or_api_error(self, conversation_id: str) -> Conversation:
        """The conversation with this id, or the error that says there is none."""
        if self._whole_of_owner is None:
            conversation = self.filter(pk=conversation_id).first()
        else:
            conversation = _FOUND.first(using=self.db, id=conversation_id, owner=self._whole_of_owner)
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


def _found() -> Any:
    model = apps.get_model("conversations", "Conversation")
    owner = Parameter("owner", of=model._meta.get_field("owner"))
    return model._default_manager.filter(pk=Parameter("id", of=model._meta.pk), owner=owner)


_FOUND: CompiledQuery[Conversation] = CompiledQuery(_found)
