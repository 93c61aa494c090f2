from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from conversations import ids
from conversations.api.base import OpenAIViewSet
from conversations.api.filters import ConversationFilterSet
from conversations.api.pagination import item_list, list_object
from conversations.api.parameters import conversation_page_parameters, include_parameter, page_parameters
from conversations.api.serializers import (
    AddItemsSerializer,
    ConversationSerializer,
    ConversationUpdateSerializer,
    ForkSerializer,
    RewindSerializer,
)
from conversations.deletion import delete_conversation
from conversations.models import Conversation, Item, PendingRecord, RequestRecord
from conversations.schema.include import apply_include


class ConversationViewSet(OpenAIViewSet):
    """Endpoints of conversations, except for those of their items.

    https://platform.openai.com/docs/api-reference/conversations
    """

    serializer_class = ConversationSerializer
    update_serializer_class: ClassVar[type[ConversationUpdateSerializer]] = ConversationUpdateSerializer
    fork_serializer_class: ClassVar[type[ForkSerializer]] = ForkSerializer
    rewind_serializer_class: ClassVar[type[RewindSerializer]] = RewindSerializer

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)

        def replay(record: RequestRecord) -> Conversation:
            conversation_id = str(record.conversation_id)
            metadata = serializer.validated_data.get("metadata") or {}  # Stored metadata may have been replaced.
            created_at = ids.created_at(conversation_id)
            return Conversation(id=conversation_id, created_at=created_at, metadata=metadata)

        conversation = self.run_once(
            lambda record: serializer.save(owner=request.user, end_user=self.end_user, record=record),
            replay,
            is_create=True,
        )
        return Response(serializer.to_representation(conversation))

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        parameters = conversation_page_parameters(request.query_params)
        conversations = self.get_queryset()
        conditions = ConversationFilterSet(request.query_params, conversations).conditions
        page = conversations.page(**vars(parameters), matching=conditions)
        data = self.get_serializer(page.rows, many=True).data
        return Response(list_object(data, has_more=page.has_more))

    def retrieve(self, request: Request, conversation_id: str, **kwargs: Any) -> Response:
        return Response(self.get_serializer(self.get_object()).data)

    def update(self, request: Request, conversation_id: str, **kwargs: Any) -> Response:
        serializer = self.update_serializer_class(data=request.data)
        serializer.is_valid(raise_exception=True)
        metadata = serializer.validated_data["metadata"]

        def replace(record: PendingRecord | None) -> Conversation:
            conversation = self.get_object()
            conversation.replace_metadata(metadata, validate=False, record=record)
            return conversation

        def replay(record: RequestRecord) -> Conversation:
            conversation = self.get_object()
            conversation.metadata = metadata  # Another request may have replaced it since.
            return conversation

        return Response(self.get_serializer(self.run_once(replace, replay)).data)

    def destroy(self, request: Request, conversation_id: str, **kwargs: Any) -> Response:
        """Delete for good, as OpenAI does. Only deletions in the admin can be restored."""
        self.run_once(lambda record: delete_conversation(self.get_object(), record=record), lambda record: None)
        return Response({"id": conversation_id, "object": "conversation.deleted", "deleted": True})

    def fork(self, request: Request, conversation_id: str, **kwargs: Any) -> Response:
        serializer = self.fork_serializer_class(data=request.data)
        serializer.is_valid(raise_exception=True)
        values = serializer.validated_data

        def replay(record: RequestRecord) -> Conversation:
            copy = self.conversations.get(str(record.conversation_id))
            copy.metadata = copy.metadata if values.get("metadata") is None else values["metadata"]
            return copy

        def fork(record: PendingRecord | None) -> Conversation:
            return self.get_object().fork(owner=request.user, validate=False, record=record, **values)

        copy = self.run_once(fork, replay, is_create=True)
        return Response(self.get_serializer(copy).data)

    def rewind(self, request: Request, conversation_id: str, **kwargs: Any) -> Response:
        serializer = self.rewind_serializer_class(data=request.data)
        serializer.is_valid(raise_exception=True)

        def rewind(record: PendingRecord | None) -> Conversation:
            conversation = self.get_object()
            conversation.rewind(record=record, **serializer.validated_data)
            return conversation

        conversation = self.run_once(rewind, lambda record: self.get_object())
        return Response(self.get_serializer(conversation).data)


class ItemViewSet(OpenAIViewSet):
    """Endpoints of the items of one conversation.

    https://platform.openai.com/docs/api-reference/conversations/list-items
    """

    serializer_class = AddItemsSerializer
    conversation_serializer_class: ClassVar[type[ConversationSerializer]] = ConversationSerializer

    def create(self, request: Request, conversation_id: str, **kwargs: Any) -> Response:
        include = include_parameter(request.query_params)
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        items = serializer.validated_data["items"]

        def add(record: PendingRecord | None) -> list[Item]:
            return self.conversations.add_items(conversation_id, items=items, record=record)

        def replay(record: RequestRecord) -> list[Item]:
            first_position = record.last_position - record.item_count + 1
            rows = self.get_object().items.filter(position__range=(first_position, record.last_position))
            return list(rows.order_by("position"))

        rows = self.run_once(add, replay)
        return Response(item_list([row.data for row in rows], include=include))

    def list(self, request: Request, conversation_id: str, **kwargs: Any) -> Response:
        include = include_parameter(request.query_params)
        parameters = page_parameters(request.query_params)
        page = self.conversations.items_page(conversation_id, **vars(parameters))
        return Response(item_list(page.rows, include=include, has_more=page.has_more))

    def retrieve(self, request: Request, conversation_id: str, item_id: str, **kwargs: Any) -> Response:
        include = include_parameter(request.query_params)
        return Response(apply_include(self.conversations.item_data(conversation_id, item_id), include))

    def destroy(self, request: Request, conversation_id: str, item_id: str, **kwargs: Any) -> Response:
        def delete(record: PendingRecord | None) -> Conversation:
            conversation = self.get_object()
            conversation.delete_item(item_id, record=record)
            return conversation

        conversation = self.run_once(delete, lambda record: self.get_object())
        return Response(self.conversation_serializer_class(conversation).data)
