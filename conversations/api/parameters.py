"""Parse the query parameters other than filters, such as `limit`, `order`, `after`, `include` and `prefix`.

The filters of the conversation list are in `api.filters`.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from itertools import chain
from typing import Literal, get_args

from django.http import QueryDict

from conversations import errors, ids
from conversations.conf import MAX_PAGE_SIZE, app_settings
from conversations.schema.include import validate_include
from conversations.schema.json_limits import check_storable
from conversations.search.activity_order import OrderBy

_INCLUDE_ELEMENT = re.compile(r"include\[[0-9]*\]")


@dataclass(frozen=True)
class PageParameters:
    limit: int
    order: Literal["asc", "desc"]
    after: str | None


def page_parameters(query: QueryDict) -> PageParameters:
    return PageParameters(limit=_parse_limit(query), order=_parse_order(query), after=_single_value(query, "after"))


@dataclass(frozen=True)
class ConversationPageParameters(PageParameters):
    before: str | None
    order_by: OrderBy


def conversation_page_parameters(query: QueryDict) -> ConversationPageParameters:
    after, before = _parse_cursor(query, "after"), _parse_cursor(query, "before")
    if after is not None and before is not None:
        raise errors.mutually_exclusive_parameters(["after", "before"])
    return ConversationPageParameters(
        limit=_parse_limit(query),
        order=_parse_order(query),
        order_by=_parse_order_by(query),
        after=after,
        before=before,
    )


@dataclass(frozen=True)
class SuggestionParameters:
    limit: int
    prefix: str


def suggestion_parameters(
    query: QueryDict, *, max_length: int, other_names: Collection[str] = ()
) -> SuggestionParameters:
    """Parse `limit` and `prefix`; raise `APIError` if there is a parameter other than these and `other_names`.

    A prefix has at most `max_length` characters, like the keys or values that it selects.
    """
    for name in query:
        if name not in ("limit", "prefix", *other_names):
            raise errors.unknown_parameter(name)
    return SuggestionParameters(
        limit=_parse_limit(query), prefix=text_parameter(query, "prefix", max_length=max_length) or ""
    )


def text_parameter(query: QueryDict, name: str, *, max_length: int) -> str | None:
    text = _single_value(query, name)
    if text is not None:
        check_storable(text, path=name)
        if len(text) > max_length:
            raise errors.string_too_long(name, text, maximum=max_length)
    return text


def include_parameter(query: QueryDict) -> frozenset[str]:
    """Return the values of the array `include`, joined with the setting DEFAULT_INCLUDE.

    Clients write an array as `include[]=a&include[]=b`, `include[0]=a&include[1]=b` or `include=a&include=b`. A single
    `include=a` is not an array: refuse it, as OpenAI does.
    """
    bare = query.getlist("include")
    if len(bare) == 1:
        validate_include(bare[0])
    elements = (query.getlist(name) for name in query if _INCLUDE_ELEMENT.fullmatch(name))
    return validate_include([*chain.from_iterable(elements), *bare]).union(app_settings.default_include)


def _parse_limit(query: QueryDict) -> int:
    text = _single_value(query, "limit")
    if text is None:
        return app_settings.default_page_size
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise errors.invalid_type("limit", expected="an integer", got=text)
    digits = text.lstrip("+-").lstrip("0")
    if text.startswith("-") or not digits:
        raise errors.integer_below_minimum("limit", text, minimum=1)
    if len(digits) > len(str(MAX_PAGE_SIZE)) or int(digits) > MAX_PAGE_SIZE:
        raise errors.integer_above_maximum("limit", text, maximum=MAX_PAGE_SIZE)
    return int(digits)


def _parse_order(query: QueryDict) -> Literal["asc", "desc"]:
    match _single_value(query, "order"):
        case None | "desc":
            return "desc"
        case "asc":
            return "asc"
        case other:
            raise errors.invalid_value("order", other, supported=["asc", "desc"])


def _parse_order_by(query: QueryDict) -> OrderBy:
    match _single_value(query, "order_by"):
        case None | "created_at":
            return "created_at"
        case "last_item_at":
            return "last_item_at"
        case other:
            raise errors.invalid_value("order_by", other, supported=get_args(OrderBy))


def _parse_cursor(query: QueryDict, name: str) -> str | None:
    """Return the conversation id that a page starts from. In the order of creation, it may have been deleted since."""
    value = _single_value(query, name)
    if value is not None and not (value.startswith(ids.CONVERSATION_PREFIX) and ids.is_well_formed(value)):
        raise errors.invalid_cursor(name, value)
    return value


def _single_value(query: QueryDict, name: str) -> str | None:
    values = query.getlist(name)
    if len(values) > 1:
        raise errors.duplicate_parameter(name)
    return values[0] if values else None
