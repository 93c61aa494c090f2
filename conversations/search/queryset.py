from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Self, TypeVar

from django.db import models
from django.utils.module_loading import import_string

from conversations.conf import app_settings
from conversations.db.pages import Page
from conversations.db.retry import retry_on_conflict
from conversations.schema.query.nodes import EVERYTHING, And, MetadataCondition, Query
from conversations.schema.query.parser import parse_query
from conversations.search import planner
from conversations.search.activity_order import OrderBy
from conversations.search.predicates import build_q

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

ConversationType = TypeVar("ConversationType", bound=models.Model)


class SearchableQuerySet(models.QuerySet[ConversationType]):
    """Conversations that can be searched. A query is a condition tree, or a text in the query language."""

    def visible_to(self, user: AbstractBaseUser | AnonymousUser, *, end_user: str | None = None) -> Self:
        """Return the conversations that the user may see: own ones, or those that CONVERSATIONS_VISIBLE_TO selects.

        If `end_user` is given, return only the conversations of this end user among them. Everything that shows a user
        conversations begins with this method.
        """
        visible: Self
        if app_settings.visible_to:
            visible = import_string(app_settings.visible_to)(self, user)
        else:
            visible = self.filter(owner=user.pk)
        return visible if end_user is None else visible.filter(end_user=end_user)

    def matching(self, query: Query | str) -> Self:
        """Filter by a metadata or full-text query; keys and values compare as bytes. For ordered matches, use `page`.

        Raise an `APIError` if the text can't be parsed, if only a `contains` condition limits the query and there are
        more than `MAX_READABLE` rows to read, or if the query searches message content and full-text search is off.
        """
        query = _parse(query)
        planner.check_bounded(self, query)
        return self.filter(build_q(query))

    def with_metadata(self, metadata: Mapping[str, str] | None = None, /, **more: str) -> Self:
        """Filter by pairs that the metadata has, beside any others.

        Keys that are no names in Python are passed as a dictionary: `with_metadata({"order id": "A-1"})`.
        """
        pairs = {**(metadata or {}), **more}
        return self.matching(And(tuple(MetadataCondition(key, "eq", (value,)) for key, value in pairs.items())))

    @retry_on_conflict
    def page(
        self,
        *,
        limit: int,
        order: Literal["asc", "desc"] = "desc",
        after: str | None = None,
        before: str | None = None,
        matching: Query | str = EVERYTHING,
        order_by: OrderBy = "created_at",
    ) -> Page[ConversationType]:
        """Return a page in the order of creation: the `limit` conversations after `after`, or just before `before`.

        Both are keyset cursors: a conversation with that id need not exist any more. In the order of `last_item_at` it
        has to exist, and a conversation that gets items meanwhile may be repeated or missing in the next page.
        Conversations that never had an item are then the least active ones. Raise `APIError` if the cursor does not
        exist, and the same errors as the method `matching`.
        """
        return planner.page(
            self, limit=limit, order=order, order_by=order_by, after=after, before=before, query=_parse(matching)
        )

    @retry_on_conflict
    def capped_count(self, maximum: int, *, matching: Query | str = EVERYTHING) -> int:
        """Count the matches, up to `maximum`. Raise the same errors as the method `matching`."""
        return planner.capped_count(self, maximum, query=_parse(matching))


def _parse(query: Query | str) -> Query:
    return parse_query(query) if isinstance(query, str) else query
