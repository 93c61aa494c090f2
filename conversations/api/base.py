import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import translation
from django.utils.module_loading import import_string
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from conversations import ids
from conversations.api import errors
from conversations.api.authentication import check_scope, check_unused_secret
from conversations.api.bodies import read_chunked_body
from conversations.api.end_users import read_end_user
from conversations.api.exception_handler import exception_handler
from conversations.api.json import JSONNegotiation, JSONParser, JSONRenderer
from conversations.api.repetitions import REPLAYED_HEADER, build_record
from conversations.api.throttling import RateLimit
from conversations.conf import app_settings
from conversations.db.replica import database_to_read
from conversations.idempotency import run_once
from conversations.models import Conversation, ConversationQuerySet, PendingRecord, RequestRecord
from conversations.owned_conversations import OwnedConversations, VisibleConversations

T = TypeVar("T")


class OpenAIRequest(Request):
    """A request whose body may have been sent in chunks. The check of a CSRF token reads the body too."""

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        # They are read ten times. REST framework would find them in Django's request only after an AttributeError.
        self.META, self.method = request.META, request.method

    def _load_stream(self) -> None:
        read_chunked_body(self._request)
        super()._load_stream()  # type: ignore[misc]


class OpenAIView(APIView):
    """Base of every API view. Its classes are set here, so that your project's `REST_FRAMEWORK` has no effect."""

    # None stands for the classes that CONVERSATIONS_AUTHENTICATION_CLASSES names.
    authentication_classes: Sequence[type[BaseAuthentication]] | None = None  # type: ignore[assignment]
    content_negotiation_class = JSONNegotiation
    metadata_class = None
    parser_classes = [JSONParser]
    permission_classes = [IsAuthenticated]
    renderer_classes = [JSONRenderer]
    throttle_classes = []
    versioning_class = None

    body_digest = b""  # The parser sets it.
    request_id: str
    started_at: float
    rate_limit: RateLimit | None = None

    def get_authenticators(self) -> list[BaseAuthentication]:
        if self.authentication_classes is not None:
            return super().get_authenticators()
        return [import_string(path)() for path in app_settings.authentication_classes]

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response]:
        return exception_handler

    def get_throttles(self) -> list[BaseThrottle]:
        if not app_settings.rate_limit:
            return super().get_throttles()
        self.rate_limit = RateLimit()
        return [self.rate_limit, *super().get_throttles()]

    @property
    def default_response_headers(self) -> dict[str, str]:
        """Return no headers: DRF would compute `Allow` for every response, and only a 405 needs it."""
        return {}

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer in English, whatever language your project or an earlier request of this thread has activated."""
        # An override takes six times as long as this look-up.
        if (translation.get_language() or "en").startswith("en"):
            return super().dispatch(request, *args, **kwargs)
        with translation.override(None):
            return super().dispatch(request, *args, **kwargs)

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        self.started_at = time.perf_counter()
        self.request_id = ids.new_request_id()
        return OpenAIRequest(
            request,
            parsers=self.get_parsers(),
            authenticators=self.get_authenticators(),
            negotiator=self.get_content_negotiator(),
            parser_context=self.get_parser_context(request),
        )

    def check_permissions(self, request: Request) -> None:
        """Check the scope of the API key as well, whatever `permission_classes` a subclass has."""
        super().check_permissions(request)
        check_scope(request)

    def permission_denied(self, request: Request, *args: Any, **kwargs: Any) -> NoReturn:
        if not request.successful_authenticator:
            check_unused_secret(request)
        super().permission_denied(request, *args, **kwargs)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        response["openai-version"] = "2020-10-01"
        response["openai-processing-ms"] = str(round((time.perf_counter() - self.started_at) * 1000))
        response["x-request-id"] = self.request_id
        for name, value in (self.rate_limit.headers() if self.rate_limit else {}).items():
            response[name] = value
        return response


class OpenAIViewSet(GenericViewSet, OpenAIView):  # type: ignore[type-arg]
    """Base of the API's operations. They ignore the arguments of a URL prefix that your project includes them under."""

    is_replayed = False
    end_user: str | None = None
    filter_backends = []
    pagination_class = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.end_user = read_end_user(request)
        if "conversation_id" in kwargs:
            ids.check_id(kwargs["conversation_id"], prefix=ids.CONVERSATION_PREFIX, path="conversation_id")

    def get_queryset(self) -> ConversationQuerySet:
        return Conversation.objects.using(self.database).visible_to(self.request.user, end_user=self.end_user)

    @property
    def has_own_queryset(self) -> bool:
        """Whether a subclass replaces `get_queryset()`."""
        return type(self).get_queryset is not OpenAIViewSet.get_queryset

    @property
    def conversations(self) -> VisibleConversations:
        """The same conversations as `get_queryset()`, for requests that name one of them."""
        if not self.has_own_queryset and not app_settings.visible_to:
            return OwnedConversations(self.request.user, end_user=self.end_user, using=self.database)
        return VisibleConversations(self.get_queryset(), user=self.request.user)

    @property
    def database(self) -> str | None:
        """The replica's alias for a GET request, if it is up to date; None lets the database routers choose."""
        return database_to_read(self.request.user.pk) if self.request.method == "GET" else None

    def get_object(self) -> Conversation:
        return self.conversations.get(self.kwargs["conversation_id"])

    def run_once(
        self,
        verb: Callable[[PendingRecord | None], T],
        replay: Callable[[RequestRecord], T],
        *,
        is_create: bool = False,
    ) -> T:
        """Return the result of the verb, or of `replay` if the request repeats one that was answered.

        Call this after the body was parsed. See `idempotency.run_once`.
        """
        record = build_record(self.request, body_digest=self.body_digest, end_user=self.end_user, is_create=is_create)
        conversation_id = self.kwargs.get("conversation_id")
        result, self.is_replayed = run_once(verb, record=record, replay=replay, conversation_id=conversation_id)
        return result

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        if self.is_replayed:
            response[REPLAYED_HEADER] = "true"
        return response


class InvalidURLView(OpenAIView):
    """The answer to a URL that this API does not have."""

    schema = None  # It is in no description of the API.

    def get_authenticators(self) -> list[BaseAuthentication]:
        return []

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise errors.invalid_url(request.method, request.path)


class ModelURLView(InvalidURLView):
    """The answer to a URL of OpenAI's API that calls a model. An app that calls models sets the advice."""

    advice = (
        "This server stores conversations and runs no models. Send model calls to a server that runs models, with a "
        "client of its own."
    )

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise errors.no_models(request.method, request.path, advice=self.advice)
