"""The synchronous part of a request for a model: all that asks the database, before the model runs."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.response import Response

from conversations import errors as item_errors
from conversations.api import errors
from conversations.api.base import OpenAIViewSet
from conversations.api.repetitions import DIGEST_BYTES, build_record
from conversations.conf import app_settings
from conversations.models import Conversation
from conversations.models.conversation_queryset import items_visible_to
from conversations.responses.conf import upstream_settings
from conversations.responses.errors import model_calls_forbidden
from conversations.responses.history import build_history, resolve_references
from conversations.responses.parameters import TurnParameters, read_turn
from conversations.responses.turns import PendingTurn, begin_turn, fail_turn, new_token
from conversations.schema.json_limits import loads


@dataclass
class StartedTurn:
    """A turn to send to the upstream. `pending` is None if nothing is to be stored."""

    parameters: TurnParameters
    content: bytes
    pending: PendingTurn | None


@dataclass
class StoredAnswer:
    """The response object of a turn that an equal request has stored."""

    response: dict[str, Any]
    is_stream: bool


class ResponseView(OpenAIViewSet):
    """The checks of a request, its beginning and its errors, as the API has them.

    The application calls the methods, instead of `dispatch`, in a thread that may use the database.
    """

    action_map = {}
    schema = None

    def authenticate(self, request: HttpRequest) -> None:
        """Check the host, the API key and its rate, and the end user. Raise an exception if one is refused."""
        self.setup(request)
        self.headers: dict[str, str] = {}
        self.request = self.initialize_request(request)
        request.get_host()
        self.initial(self.request)
        users = upstream_settings.upstream_users
        if users and self.request.user.get_username() not in users:
            raise model_calls_forbidden()

    def begin(self, body: bytes) -> StartedTurn | StoredAnswer:
        """Read the request and take the lease of its conversation, unless it repeats one that was answered."""
        try:
            value = loads(body, max_values=app_settings.max_json_values)
        except ValueError:
            raise errors.invalid_json() from None
        if not isinstance(value, dict):
            raise errors.body_not_an_object(value)
        parameters = read_turn(value)
        conversation = self.conversations.get(parameters.conversation_id)
        using = conversation.write_alias
        visible = items_visible_to(self.request.user, Conversation.objects.using(using), end_user=self.end_user)
        new_input = resolve_references(parameters.input, visible=visible, using=using)
        self._check_item_ids(conversation, parameters)
        if not parameters.is_stored:
            return StartedTurn(parameters, _content(conversation, parameters, new_input), None)
        turn = self._new_turn(conversation, parameters, body)
        if stored := begin_turn(turn):
            self.is_replayed = True
            response = {**stored.response_object(), "conversation": {"id": conversation.pk}}
            return StoredAnswer(response, parameters.is_stream)
        try:
            return StartedTurn(parameters, _content(conversation, parameters, new_input), turn)
        except BaseException:
            fail_turn(turn)
            raise

    def error_response(self, error: Exception) -> Response:
        """Return the rendered answer for an exception, as the API's other views answer it."""
        response = self.finalize_response(self.request, self.handle_exception(error))
        response.render()
        return response

    def _new_turn(self, conversation: Conversation, parameters: TurnParameters, body: bytes) -> PendingTurn:
        digest = blake2b(body, digest_size=DIGEST_BYTES).digest()
        record = build_record(self.request, body_digest=digest, end_user=self.end_user, is_create=False)
        return PendingTurn(
            conversation,
            user=self.request.user,
            record=record,
            items=parameters.items,
            token=new_token(),
            started_at=timezone.now(),
        )

    def _check_item_ids(self, conversation: Conversation, parameters: TurnParameters) -> None:
        """Refuse items that the conversation has already before the model is asked, as storing them would."""
        sent = [item["id"] for item in parameters.items if item.get("id")]
        items = conversation.items.using(conversation.write_alias)
        if len(set(sent)) < len(sent) or items.has_any(sent):
            error = item_errors.item_already_in_conversation()
            error.param = "input"
            raise error


def _content(conversation: Conversation, parameters: TurnParameters, new_input: list[Any]) -> bytes:
    """Return the body for the upstream: the client's, with the conversation's items before its own input."""
    history = build_history(conversation, using=conversation.write_alias)
    body = {name: value for name, value in parameters.body.items() if name != "conversation"}
    return orjson.dumps({**body, "input": [*history, *new_input]})
