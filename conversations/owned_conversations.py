"""The API's most frequent lookups and its append: in any queryset, and for one owner with precompiled SQL.

Django's ORM takes longer to compile a query than a database takes to answer it. CPU milliseconds per request, with
`visible_to(user).get(…)` and `items.page(…)` in place of these methods, and with them:

|                | SQLite      | PostgreSQL  |
|----------------|-------------|-------------|
| retrieve       | 1.22 → 0.53 | 1.29 → 0.60 |
| page of items  | 2.02 → 0.55 | 2.35 → 0.66 |
| one item       | 1.72 → 0.38 | 2.28 → 0.51 |
| append 2 items | 3.56 → 2.96 | 2.22 → 1.17 |

They are medians of `time.process_time()` around calls of `project.wsgi.application` in one process, on two cores that
were busy: compare the ratios, not the milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from django.db import router
from django.db.models import Exists

from conversations import errors, ids
from conversations.db import single_statement
from conversations.db.compiled import CompiledQuery, Parameter
from conversations.db.pages import Page
from conversations.db.retry import retry_on_conflict
from conversations.models import Conversation, ConversationQuerySet, Item, PendingRecord

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


class VisibleConversations:
    """The conversations of a queryset, as the API reads them and appends to them for a user.

    Any other conversation is not found, with the same error as an unknown id.
    """

    def __init__(self, conversations: ConversationQuerySet, *, user: AbstractBaseUser | AnonymousUser) -> None:
        self.conversations = conversations
        self.user = user

    @retry_on_conflict
    def get(self, conversation_id: str) -> Conversation:
        """Return the conversation, or raise an `APIError` if there is none with this id."""
        conversation = self.conversations.filter(pk=conversation_id).first()
        if conversation is None:
            raise errors.conversation_not_found(conversation_id)
        return conversation

    def items_page(
        self, conversation_id: str, *, limit: int, order: Literal["asc", "desc"], after: str | None = None
    ) -> Page[dict[str, Any]]:
        """Return the JSON of up to `limit` items that follow the item `after` in this order.

        Raise an `APIError` if there is no such conversation, or the conversation has no item `after`.
        """
        page = self.get(conversation_id).items.page(limit=limit, order=order, after=after)
        return Page([item.data for item in page.rows], page.has_more)

    def item_data(self, conversation_id: str, item_id: str) -> dict[str, Any]:
        """Return the JSON of one item, or raise an `APIError` if it does not exist."""
        data: dict[str, Any] = self.get(conversation_id).items.get_or_api_error(item_id).data
        return data

    def add_items(
        self, conversation_id: str, *, items: Sequence[Mapping[str, Any]], record: PendingRecord | None = None
    ) -> list[Item]:
        """Append validated items, and return their rows. See `Conversation.add_items`."""
        return self.get(conversation_id).add_items(items, user=self.user, validate=False, record=record)


class OwnedConversations(VisibleConversations):
    """All conversations that a user owns, or those of one end user among them.

    `using` is the database to read from; writes go where the database routers send them.
    """

    def __init__(
        self, user: AbstractBaseUser | AnonymousUser, *, end_user: str | None = None, using: str | None = None
    ) -> None:
        self.owner_id = user.pk
        self.end_user = end_user
        self.using = using or router.db_for_read(Conversation)

    @retry_on_conflict
    def get(self, conversation_id: str) -> Conversation:
        conversation = _CONVERSATION.first(
            self.end_user is not None,
            using=self.using,
            id=conversation_id,
            owner=self.owner_id,
            end_user=self.end_user,
        )
        if conversation is None:
            raise errors.conversation_not_found(conversation_id)
        return conversation

    def items_page(
        self, conversation_id: str, *, limit: int, order: Literal["asc", "desc"], after: str | None = None
    ) -> Page[dict[str, Any]]:
        """Do the same in a single query. An empty page takes more of them, which find out why it is empty."""
        if after is None or ids.is_well_formed(after):
            rows = self._fetch(_ITEMS, order, limit + 1, after is not None, conversation=conversation_id, after=after)
            if rows:
                return Page.cut([data for (data,) in rows], limit)
        return super().items_page(conversation_id, limit=limit, order=order, after=after)

    def item_data(self, conversation_id: str, item_id: str) -> dict[str, Any]:
        """Do the same in one query."""
        rows = self._fetch(_ITEM, conversation=conversation_id, item=item_id) if ids.is_well_formed(item_id) else []
        return rows[0][0] if rows else super().item_data(conversation_id, item_id)

    def add_items(
        self, conversation_id: str, *, items: Sequence[Mapping[str, Any]], record: PendingRecord | None = None
    ) -> list[Item]:
        """Do the same in one round trip, where that is possible.

        The single statement that appends on PostgreSQL checks the owner itself, so nothing is read before it, unless it
        has to be the conversation of an end user.
        """
        if self.end_user is None and single_statement.can_append(items, using=router.db_for_write(Conversation)):
            conversation = Conversation.from_db(self.using, ["id", "owner_id"], [conversation_id, self.owner_id])
        else:
            conversation = self.get(conversation_id)
        return conversation.add_items(items, validate=False, record=record)

    @retry_on_conflict
    def _fetch(self, query: CompiledQuery[Any], *options: Any, **values: Any) -> list[list[Any]]:
        has_end_user = self.end_user is not None
        return query.rows(
            has_end_user, *options, using=self.using, owner=self.owner_id, end_user=self.end_user, **values
        )


def _build_conversation_query(has_end_user: bool) -> Any:
    return _visible_conversations(has_end_user).filter(pk=Parameter("id", field=Conversation._meta.pk))


def _build_items_query(has_end_user: bool, order: Literal["asc", "desc"], count: int, has_after: bool) -> Any:
    items = _visible_items(has_end_user)
    if has_after:
        after = Item.objects.filter(conversation=_conversation(), item_id=Parameter("after", field=_field("item_id")))
        position = after.order_by().values("position")
        items = items.filter(position__gt=position) if order == "asc" else items.filter(position__lt=position)
    return items.order_by("position" if order == "asc" else "-position").values_list("data")[:count]


def _build_item_query(has_end_user: bool) -> Any:
    return _visible_items(has_end_user).filter(item_id=Parameter("item", field=_field("item_id"))).values_list("data")


def _visible_items(has_end_user: bool) -> Any:
    """Return the items of a conversation if it is visible. With a join instead, SQLite might sort all of them."""
    is_visible = Exists(_visible_conversations(has_end_user).filter(pk=_conversation()))
    return Item.objects.filter(is_visible, conversation=_conversation()).order_by()


def _visible_conversations(has_end_user: bool) -> Any:
    names = ("owner", "end_user") if has_end_user else ("owner",)
    return Conversation.objects.filter(
        **{name: Parameter(name, field=Conversation._meta.get_field(name)) for name in names}
    )


def _conversation() -> Parameter:
    return Parameter("conversation", field=_field("conversation"))


def _field(name: str) -> Any:
    return Item._meta.get_field(name)


_CONVERSATION: CompiledQuery[Conversation] = CompiledQuery(_build_conversation_query)
_ITEMS: CompiledQuery[Any] = CompiledQuery(_build_items_query)
_ITEM: CompiledQuery[Any] = CompiledQuery(_build_item_query)
