"""Translate every exception that a view raises into a response with OpenAI's error envelope."""

import logging
from math import ceil
from typing import Any

from django.core.exceptions import BadRequest, SuspiciousOperation
from django.db import DatabaseError, IntegrityError, InterfaceError
from django.http import Http404, UnreadablePostError
from django.utils.log import log_response
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from conversations.api import errors
from conversations.api.bodies import BodyError
from conversations.db.errors import is_temporary
from conversations.errors import APIError

RETRY_AFTER = 1  # seconds that the official clients wait before they repeat a request

logger = logging.getLogger("conversations.api")


def exception_handler(exception: Exception, context: dict[str, Any]) -> Response:
    """Return the response for an exception, with the headers that belong to its status.

    DRF does not raise the exception again, so Django would commit the transaction of `ATOMIC_REQUESTS`. `set_rollback`
    prevents that.
    """
    set_rollback()
    error = _to_api_error(exception, context)
    is_temporary_error = error.status == 503 or error.code == "idempotency_key_in_use"
    headers = {"Retry-After": str(RETRY_AFTER)} if is_temporary_error else {}
    if error.status == 409 and not is_temporary_error:
        headers["x-should-retry"] = "false"  # The official clients retry a 409 otherwise.
    if isinstance(exception, exceptions.MethodNotAllowed):
        headers["Allow"] = ", ".join(context["view"].allowed_methods)
    if auth_header := getattr(exception, "auth_header", None):
        headers["WWW-Authenticate"] = auth_header
    if wait := getattr(exception, "wait", None):
        headers["Retry-After"] = str(max(1, ceil(wait)))
    response = Response(error.envelope(), status=error.status, headers=headers)
    if error.status == 503:
        # Django logs each response with an error status, unless it has been logged.
        request, reason = context["request"], " ".join(str(exception).split())
        text, values = "%s %s: %s (%s)", (request.method, request.path, reason, context["view"].request_id)
        log_response(text, *values, response=response, request=request, logger=logger, level="warning")
    return response


def _to_api_error(exception: Exception, context: dict[str, Any]) -> APIError:
    """Return the error to send, and log an exception that points to an attack or to a fault of the server."""
    request = context["request"]
    match exception:
        case APIError():
            return exception
        # DRF's exceptions: particular ones first, then their base class.
        case exceptions.NotAuthenticated():
            return APIError("Missing bearer or basic authentication in header", status=exception.status_code)
        case exceptions.AuthenticationFailed():
            detail = _first_detail(exception.detail)
            return APIError(detail, status=exception.status_code, code=getattr(detail, "code", None))
        case exceptions.MethodNotAllowed():
            return errors.method_not_allowed(request.method, request.path)
        case exceptions.UnsupportedMediaType():
            return errors.unsupported_content_type(request.content_type)
        case exceptions.Throttled():
            return errors.rate_limited(getattr(exception, "wait", None))
        case exceptions.APIException():
            return APIError(_first_detail(exception.detail), status=exception.status_code)
        case Http404():
            return errors.invalid_url(request.method, request.path)
        case UnreadablePostError(__cause__=BodyError(error=error)):
            return error
        case UnreadablePostError():  # The client closed the connection before it had sent the whole body.
            return errors.body_incomplete()
        case BadRequest() | SuspiciousOperation():
            logger.warning("%s %s: %r (%s)", request.method, request.path, exception, context["view"].request_id)
            return errors.bad_request(exception)
        case DatabaseError() | InterfaceError() | OSError() if is_temporary(exception):
            return errors.unavailable()
        case IntegrityError() if request.method == "DELETE" or getattr(context["view"], "action", "") == "rewind":
            # A foreign key of the project has on_delete=PROTECT or RESTRICT, or the database enforces it.
            reason = exception.args[0]  # without the rows: there may be many
            logger.warning("%s %s: %s (%s)", request.method, request.path, reason, context["view"].request_id)
            return errors.still_referenced(context["kwargs"].get("item_id") or context["kwargs"]["conversation_id"])
    logger.error("%s %s failed (%s)", request.method, request.path, context["view"].request_id, exc_info=exception)
    return errors.server_error(context["view"].request_id)


def _first_detail(detail: Any) -> str:
    """Return the first message in the detail of an `APIException`, which may be a tree of dictionaries and lists."""
    while isinstance(detail, dict | list):
        branches = list(detail.values()) if isinstance(detail, dict) else detail
        detail = branches[0] if branches else ""
    return detail if isinstance(detail, str) else str(detail)
