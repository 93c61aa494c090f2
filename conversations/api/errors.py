"""Errors that concern only HTTP. The texts are OpenAI's wherever their API was seen to send them, else ours."""

from math import ceil

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent

from conversations.errors import APIError, json_type_name


def invalid_json() -> APIError:
    return APIError(
        "Invalid body: failed to parse JSON value. Please check the value to ensure it is valid JSON. "
        "(Common errors include trailing commas, missing closing brackets, missing quotation marks, etc.)",
        code="invalid_json",
    )


def body_not_an_object(body: object) -> APIError:
    return APIError(f"Invalid body: expected an object, but got {json_type_name(body)} instead.", code="invalid_type")


def body_too_large(*, maximum: int) -> APIError:
    return APIError(
        f"Request body too large. Expected at most {maximum} bytes.",
        status=413,
        code="request_too_large",
    )


def body_incomplete() -> APIError:
    return APIError("Invalid body: the connection ended before the end of the body.", code="incomplete_body")


def body_too_slow() -> APIError:
    return APIError("The request body was not complete in time. Please try again later.", status=408)


def body_length_missing() -> APIError:
    return APIError("Missing 'Content-Length' header. Send the body with its length.", status=411)


def unsupported_content_type(content_type: str) -> APIError:
    return APIError(
        f"Unsupported content type: '{content_type}'. This API method only accepts 'application/json' requests, but "
        f"you specified the header 'Content-Type: {content_type}'. "
        "Please try again with a supported content type.",
        status=415,
        code="unsupported_content_type",
    )


def bad_request(exception: Exception) -> APIError:
    """Return the error for a request that Django refuses to process; it leaves out the exception's internal text."""
    match exception:
        case TooManyFieldsSent():
            return APIError(f"Too many query parameters. Expected at most {settings.DATA_UPLOAD_MAX_NUMBER_FIELDS}.")
        case RequestDataTooBig():
            return APIError("Request body too large for this server.")
        case _:
            return APIError("Bad request.")


def end_user_missing(header: str) -> APIError:
    return APIError(
        f"Missing required header: '{header}'. This API key requires the name of the end user whom a request is for.",
        param=header,
        code="missing_required_parameter",
    )


def end_users_differ(header: str, other: str) -> APIError:
    return APIError(
        f"Invalid '{header}': it differs from '{other}'. Send one of the two headers.",
        param=header,
        code="conflicting_end_users",
    )


def incorrect_api_key(masked_key: str) -> APIError:
    return APIError(
        f"Incorrect API key provided: {masked_key}. "
        "You can find your API key at https://platform.openai.com/account/api-keys.",
        status=401,
        code="invalid_api_key",
    )


def missing_scope(scope: str) -> APIError:
    return APIError(
        f"You have insufficient permissions for this operation. Missing scopes: api.conversations.{scope}. Check that "
        "your API key has the necessary scopes.",
        status=403,
        code="missing_scope",
    )


def invalid_url(method: str | None, path: str) -> APIError:
    return APIError(f"Invalid URL ({method} {path})", status=404)


def no_models(method: str | None, path: str, *, advice: str) -> APIError:
    return APIError(f"Invalid URL ({method} {path}). {advice}", status=404)


def method_not_allowed(method: str | None, path: str) -> APIError:
    return APIError(
        f"Not allowed to {method} on {path}. (HINT: Perhaps you meant to use a different HTTP method?)", status=405
    )


def still_referenced(object_id: str) -> APIError:
    return APIError(
        f"'{object_id}' can't be deleted, because other records on this server refer to it or to a part of it.",
        status=409,
        code="still_referenced",
    )


def rate_limited(wait: float | None) -> APIError:
    """Return the error for too many requests. `wait` is the number of seconds until the next one, if it is known."""
    time = "later" if wait is None else f"in {max(1, ceil(wait))}s"
    return APIError(
        f"Rate limit reached. Please try again {time}.", status=429, type="requests", code="rate_limit_exceeded"
    )


def unavailable() -> APIError:
    return APIError(
        "The server is currently overloaded or not ready yet. Please try again later.", status=503, type="server_error"
    )


def server_error(request_id: str) -> APIError:
    return APIError(
        "The server had an error processing your request. Sorry about that! You can retry your request. "
        f"(Please include the request ID {request_id} when you report this.)",
        status=500,
        type="server_error",
    )
