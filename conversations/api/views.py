from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

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
from conversations.schema.include import apply_include


class ConversationViewSet(OpenAIViewSet):
    """Endpoints of conversations, except for those of their items.

    https://platform.openai.com/docs/api-reference/conversations
    """

    serializer_class = ConversationSerializer

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        serializer.save(owner=request.user)
        return Response(serializer.data)

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
        serializer = ConversationUpdateSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        serializer.instance = self.get_object()
        return Response(self.get_serializer(serializer.save()).data)

    def destroy(self, request: Request, conversation_id: str, **kwargs: Any) -> Response:
        """Delete for good, as OpenAI does. Only deletions in the admin can be restored."""
        delete_conversation(self.get_object())
        return Response({"id": conversation_id, "object": "conversation.deleted", "deleted": True})

    def fork(self, request: Request, conversation_id: str, **kwargs: Any) -> Response:
        serializer = ForkSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        fork = self.get_object().fork(owner=request.user, validate=False, **serializer.validated_data)
        return Response(self.get_serializer(fork).data)

    def rewind(self, request: Request, conversation_id: str, **kwargs: Any) -> Response:
        serializer = RewindSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        conversation = self.get_object()
        conversation.rewind(**serializer.validated_data)
        return Response(self.get_serializer(conversation).data)


class ItemViewSet(OpenAIViewSet):
    """Endpoints of the items of one conversation.

    https://platform.openai.com/docs/api-reference/conversations/list-items
    """

    serializer_class = AddItemsSerializer

    def create(self, request: Request, conversation_id: str, **kwargs: Any) -> Response:
        include = include_parameter(request.query_params)
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        items = self.conversations.add_items(conversation_id, **serializer.validated_data)
        return Response(item_list([item.data for item in items], include=include))

    def list(self, request: Request, conversation_id: str, **kwargs: Any) -> Response:
        include = include_parameter(request.query_params)
        parameters = page_parameters(request.query_params)
        page = self.conversations.items_page(conversation_id, **vars(parameters))
        return Response(item_list(page.rows, include=include, has_more=page.has_more))

    def retrieve(self, request: Request, conversation_id: str, item_id: str, **kwargs: Any) -> Response:
        include = include_parameter(request.query_params)
        return Response(apply_include(self.conversations.item_data(conversation_id, item_id), include))

    def destroy(self, request: Request, conversation_id: str, item_id: str, **kwargs: Any) -> Response:
        conversation = self.get_object()
        conversation.delete_item(item_id)
        return Response(ConversationSerializer(conversation).data)
