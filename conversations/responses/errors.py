"""Errors of model calls. The texts are OpenAI's wherever their API was seen to send them, else ours."""

from typing import Any

from conversations.errors import APIError


def conversation_locked() -> APIError:
    return APIError(
        "Another process is currently operating on this conversation. Please retry in a few seconds.",
        param="conversation",
        code="conversation_locked",
    )


def background_unsupported() -> APIError:
    return APIError(
        "Unsupported value: 'background' must be false for a request with 'conversation'.",
        param="background",
        code="unsupported_value",
    )


def model_calls_forbidden() -> APIError:
    return APIError("This API key's user may not call models on this server.", status=403, code="model_calls_forbidden")


def upstream_unreachable() -> APIError:
    return APIError(
        "The server that runs the model can't be reached. Nothing was stored. Please try again later.",
        status=502,
        type="server_error",
        code="upstream_unreachable",
    )


def upstream_timeout() -> APIError:
    return APIError(
        "The server that runs the model did not answer in time. Nothing was stored.",
        status=504,
        type="server_error",
        code="upstream_timeout",
    )


def upstream_broken(problem: str) -> APIError:
    return APIError(
        f"The server that runs the model sent {problem}. Nothing was stored.",
        status=502,
        type="server_error",
        code="upstream_error",
    )


def unstorable_output(error: APIError) -> APIError:
    return APIError(
        f"The output of the model can't be stored: {error.message}", status=502, type="server_error", code=error.code
    )


def for_input(error: APIError) -> APIError:
    """Return an error about the items of a request with the name that this request has for them."""
    param = None if error.param is None else error.param.replace("items", "input", 1)
    message = error.message.replace("'items", "'input", 1)
    return APIError(message, status=error.status, type=error.type, param=param, code=error.code)


def failed_response(error: APIError, response: dict[str, Any]) -> dict[str, Any]:
    """Return the response object of a stream that ends with an error."""
    code = error.code or "server_error"
    return {**response, "status": "failed", "error": {"code": code, "message": error.message}}
