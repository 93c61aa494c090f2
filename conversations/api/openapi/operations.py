"""The operations of the API: one row for each method of a URL."""

from dataclasses import dataclass
from typing import Any

from rest_framework.views import APIView

from conversations.api.openapi import parameters
from conversations.api.openapi.components import reference
from conversations.api.openapi.parameters import Parameter
from conversations.api.suggestions import MetadataSuggestionViewSet
from conversations.api.views import ConversationViewSet, ItemViewSet
from conversations.schema.metadata import MAX_KEY_LENGTH, MAX_VALUE_LENGTH

_ERRORS = {
    400: "The request is invalid: `param` names the member or the query parameter, and `code` the reason.",
    401: "The key is missing, unknown, revoked or expired, or its user is inactive.",
    403: "The key lacks the scope: reading for GET, writing for other methods.",
    404: "The conversation or the item does not exist, or belongs to another user or end user.",
    408: "The body was not complete in time. Send it again.",
    409: "The conversation is on legal hold, other rows of the database protect it or the item from deletion, or a "
    "request with the same Idempotency-Key is being executed.",
    411: "The body has no `Content-Length`, and the server can't see its end.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    429: "Too many requests, if the server has a rate limit. Try again.",
    500: "An error in the server.",
    503: "The database is slow, locked or unreachable, or the server has too many requests. Try again.",
}
_ALWAYS = (400, 401, 403, 429, 500, 503)
_WITH_BODY = (408, 409, 411, 413, 415)
_MESSAGE = {"type": "message", "role": "user", "content": "Hello!"}


@dataclass(frozen=True)
class Operation:
    id: str  # OpenAI's, if OpenAI has the operation
    tag: str
    summary: str
    response: str  # name of a component
    parameters: tuple[Parameter, ...] = ()
    body: str = ""  # name of a component
    example: dict[str, Any] | None = None  # of the body
    is_body_required: bool = False
    errors: tuple[int, ...] = (404,)  # statuses beside those that every operation has

    def describe(self) -> dict[str, Any]:
        """Return an OpenAPI Operation Object without its security."""
        statuses = {*_ALWAYS, *self.errors, *(_WITH_BODY if self.body else ())}
        responses = {200: _response("Success.", self.response)}
        responses |= {status: _response(_ERRORS[status], "Error") for status in sorted(statuses)}
        retry_after = {"description": "Seconds to wait.", "schema": {"type": "integer"}}
        for status in (429, 503):
            responses[status]["headers"]["Retry-After"] = retry_after
        operation: dict[str, Any] = {"operationId": self.id, "summary": self.summary, "tags": [self.tag]}
        headers = (parameters.IDEMPOTENCY_KEY, parameters.END_USER) if self.body else (parameters.END_USER,)
        operation["parameters"] = [*self.parameters, *headers]
        if self.body:
            operation["requestBody"] = {
                "content": _json(self.body, example=self.example),
                "required": self.is_body_required,
            }
        return {**operation, "responses": {str(status): response for status, response in responses.items()}}


def _response(description: str, component: str) -> dict[str, Any]:
    headers = {"x-request-id": {"description": "The id of the request in the log.", "schema": {"type": "string"}}}
    return {"description": description, "headers": headers, "content": _json(component)}


def _json(component: str, **more: Any) -> dict[str, Any]:
    return {"application/json": {"schema": reference(component), **more}}


def operation_of(view: type[APIView], action: str) -> Operation | None:
    """Return the operation that a view of this app, or a subclass of one, performs in the action."""
    for view_class, operations in operations_by_view().items():
        if issubclass(view, view_class):
            return operations.get(action)
    return None


def operations_by_view() -> dict[type[APIView], dict[str, Operation]]:
    of_conversation, of_item = (parameters.CONVERSATION_ID,), (parameters.CONVERSATION_ID, parameters.ITEM_ID)
    limit = parameters.limit()
    return {
        ConversationViewSet: {
            "list": Operation(
                "listConversations",
                "Conversations",
                "List and query conversations",
                "ConversationList",
                (
                    limit,
                    parameters.ORDER,
                    parameters.ORDER_BY,
                    parameters.AFTER_CONVERSATION,
                    parameters.BEFORE_CONVERSATION,
                    parameters.METADATA,
                    parameters.CREATED_AT,
                    parameters.ACTIVE_AT,
                    parameters.ITEM_COUNT,
                    parameters.TYPE,
                    parameters.TOOL,
                    parameters.STATUS,
                    parameters.HAS,
                    parameters.QUERY,
                ),
                errors=(),
            ),
            "create": Operation(
                "createConversation",
                "Conversations",
                "Create a conversation",
                "Conversation",
                body="CreateConversationBody",
                example={"metadata": {"topic": "demo"}, "items": [_MESSAGE]},
            ),
            "retrieve": Operation(
                "getConversation", "Conversations", "Retrieve a conversation", "Conversation", of_conversation
            ),
            "update": Operation(
                "updateConversation",
                "Conversations",
                "Replace the metadata of a conversation",
                "Conversation",
                of_conversation,
                body="UpdateConversationBody",
                example={"metadata": {"topic": "demo", "tenant": "acme"}},
                is_body_required=True,
            ),
            "destroy": Operation(
                "deleteConversation",
                "Conversations",
                "Delete a conversation and its items",
                "DeletedConversation",
                of_conversation,
                errors=(404, 409),
            ),
            "fork": Operation(
                "forkConversation",
                "Conversations",
                "Copy a conversation, up to an item",
                "Conversation",
                of_conversation,
                body="ForkConversationBody",
                example={"after": "msg_1", "metadata": {"topic": "demo"}},
            ),
            "rewind": Operation(
                "rewindConversation",
                "Conversations",
                "Delete the items that follow an item",
                "Conversation",
                of_conversation,
                body="RewindConversationBody",
                example={"after": "msg_1"},
                is_body_required=True,
                errors=(404, 409),
            ),
        },
        ItemViewSet: {
            "list": Operation(
                "listConversationItems",
                "Conversation items",
                "List the items of a conversation",
                "ConversationItemList",
                (*of_conversation, limit, parameters.ORDER, parameters.AFTER_ITEM, parameters.INCLUDE),
            ),
            "create": Operation(
                "createConversationItems",
                "Conversation items",
                "Add items, all or none of them",
                "ConversationItemList",
                (*of_conversation, parameters.INCLUDE),
                body="CreateItemsBody",
                example={"items": [_MESSAGE]},
                is_body_required=True,
            ),
            "retrieve": Operation(
                "getConversationItem",
                "Conversation items",
                "Retrieve an item",
                "ConversationItem",
                (*of_item, parameters.INCLUDE),
            ),
            "destroy": Operation(
                "deleteConversationItem",
                "Conversation items",
                "Delete an item",
                "Conversation",
                of_item,
                errors=(404, 409),
            ),
        },
        MetadataSuggestionViewSet: {
            "list_keys": Operation(
                "listMetadataKeys",
                "Conversation metadata",
                "List the metadata keys of the caller's conversations",
                "MetadataTextList",
                (limit, parameters.prefix(max_length=MAX_KEY_LENGTH)),
                errors=(),
            ),
            "list_values": Operation(
                "listMetadataValues",
                "Conversation metadata",
                "List the values of a metadata key",
                "MetadataTextList",
                (parameters.KEY, limit, parameters.prefix(max_length=MAX_VALUE_LENGTH)),
                errors=(),
            ),
        },
    }
