"""Tools that search files or the web, and their calls."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field

from conversations.schema.items.hidden_members import HiddenMember
from conversations.schema.items.registry import item_type
from conversations.schema.items.types import JSONObject, Number, OneJSONType, OneOf, Open

Attribute = Annotated[
    Annotated[str, Field(max_length=512)] | int | float | bool,
    OneJSONType("one of a string, decimal, or boolean"),
]


class FileSearchResult(JSONObject):
    attributes: NotRequired[Annotated[dict[str, Attribute], Field(max_length=16)] | None]
    file_id: NotRequired[str]
    filename: NotRequired[str]
    score: NotRequired[Number]
    text: NotRequired[str]


@item_type(id_prefix="fs_", searchable=("queries", "results"), hidden=(HiddenMember("results", substitute=None),))
class FileSearchCall(JSONObject):
    id: NotRequired[str | None]
    type: Literal["file_search_call"]
    status: Literal["in_progress", "searching", "completed", "incomplete", "failed"]
    queries: list[str]
    results: NotRequired[list[FileSearchResult] | None]


class Source(JSONObject):
    type: Literal["url"]
    url: str


class Search(JSONObject):
    type: Literal["search"]
    queries: NotRequired[list[str]]
    query: NotRequired[str]
    sources: NotRequired[list[Source]]


class OpenPage(JSONObject):
    type: Literal["open_page"]
    url: NotRequired[str | None]


class FindInPage(JSONObject):
    type: Literal["find_in_page"]
    pattern: str
    url: NotRequired[str]


@item_type(
    id_prefix="ws_", searchable=("action",), hidden=(HiddenMember("results"), HiddenMember("sources", parent="action"))
)
class WebSearchCall(JSONObject):
    id: NotRequired[str | None]
    type: Literal["web_search_call"]
    status: Literal["in_progress", "searching", "completed", "incomplete", "failed"]
    action: NotRequired[Annotated[Search | OpenPage | FindInPage, OneOf(is_open=True)]]


class HybridSearchOptions(JSONObject):
    embedding_weight: Number
    text_weight: Number


class RankingOptions(JSONObject):
    hybrid_search: NotRequired[HybridSearchOptions]
    ranker: NotRequired[Open[Literal["auto", "default-2024-11-15"]]]
    score_threshold: NotRequired[Number]


class ComparisonFilter(JSONObject):
    type: Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"]
    key: str
    value: Annotated[
        str | int | float | bool | list[Annotated[str | int | float, OneJSONType("one of a string or decimal")]],
        OneJSONType("one of a string, decimal, boolean, or array"),
    ]


class CompoundFilter(JSONObject):
    type: Literal["and", "or"]
    filters: list[Any]


class FileSearchTool(JSONObject):
    type: Literal["file_search"]
    filters: NotRequired[Annotated[ComparisonFilter | CompoundFilter, OneOf(is_open=True)] | None]
    max_num_results: NotRequired[int]
    ranking_options: NotRequired[RankingOptions]
    vector_store_ids: list[str]


SearchContextSize = Open[Literal["low", "medium", "high"]]


class WebSearchFilters(JSONObject):
    allowed_domains: NotRequired[list[str] | None]


class WebSearchLocation(JSONObject):
    type: NotRequired[Open[Literal["approximate"]]]
    city: NotRequired[str | None]
    country: NotRequired[str | None]
    region: NotRequired[str | None]
    timezone: NotRequired[str | None]


class WebSearchPreviewLocation(JSONObject):
    type: Literal["approximate"]
    city: NotRequired[str | None]
    country: NotRequired[str | None]
    region: NotRequired[str | None]
    timezone: NotRequired[str | None]


class WebSearchTool(JSONObject):
    type: Literal["web_search", "web_search_2025_08_26"]
    external_web_access: NotRequired[bool]
    filters: NotRequired[WebSearchFilters | None]
    search_context_size: NotRequired[SearchContextSize]
    user_location: NotRequired[WebSearchLocation | None]


class WebSearchPreviewTool(JSONObject):
    type: Literal["web_search_preview", "web_search_preview_2025_03_11"]
    search_content_types: NotRequired[list[Open[Literal["text", "image"]]]]
    search_context_size: NotRequired[SearchContextSize]
    user_location: NotRequired[WebSearchPreviewLocation | None]
