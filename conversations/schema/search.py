"""Searches of files and of the web."""

from typing import Annotated, Literal, NotRequired

from pydantic import Field

from conversations.schema.types import JSONObject, Number, OneKind, OneOf

Attribute = Annotated[
    Annotated[str, Field(max_length=512)] | int | float | bool,
    OneKind("one of a string, decimal, or boolean"),
]


class FileSearchResult(JSONObject):
    attributes: NotRequired[Annotated[dict[str, Attribute], Field(max_length=16)] | None]
    file_id: NotRequired[str]
    filename: NotRequired[str]
    score: NotRequired[Number]
    text: NotRequired[str]


class FileSearchCall(JSONObject):
    id: str
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
    url: str


class WebSearchCall(JSONObject):
    id: str
    type: Literal["web_search_call"]
    status: Literal["in_progress", "searching", "completed", "failed"]
    action: Annotated[Search | OpenPage | FindInPage, OneOf()]
