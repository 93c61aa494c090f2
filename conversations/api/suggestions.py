from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from conversations import errors
from conversations.api.base import OpenAIViewSet
from conversations.api.parameters import suggestion_parameters, text_parameter
from conversations.models import MetadataPair
from conversations.schema.metadata import MAX_KEY_LENGTH, MAX_VALUE_LENGTH
from conversations.search.metadata_pair import MetadataPairQuerySet, Suggestions


class MetadataSuggestionViewSet(OpenAIViewSet):
    """Autocompletion: metadata keys and values of the caller's conversations, in byte order."""

    @property
    def pairs(self) -> MetadataPairQuerySet:
        """The metadata of the conversations of `get_queryset()`."""
        pairs = MetadataPair.objects.using(self.database)
        if self.has_own_queryset:
            return pairs.of_conversations(self.get_queryset())
        return pairs.visible_to(self.request.user, end_user=self.end_user)

    def list_keys(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        parameters = suggestion_parameters(request.query_params, max_length=MAX_KEY_LENGTH)
        return _list_response(self.pairs.suggestions("key", prefix=parameters.prefix, limit=parameters.limit))

    def list_values(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        parameters = suggestion_parameters(request.query_params, max_length=MAX_VALUE_LENGTH, other_names=["key"])
        key = text_parameter(request.query_params, "key", max_length=MAX_KEY_LENGTH)
        if key is None:
            raise errors.missing_parameter("key")
        pairs = self.pairs.filter(key=key)
        return _list_response(pairs.suggestions("value", prefix=parameters.prefix, limit=parameters.limit))


def _list_response(suggestions: Suggestions) -> Response:
    return Response({"object": "list", "data": suggestions.texts, "has_more": suggestions.has_more})
