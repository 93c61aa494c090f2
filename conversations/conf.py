"""Settings of the app: each is `CONVERSATIONS_<NAME>` in your project's settings and is read on first use."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

from django.conf import settings as django_settings
from django.core.signals import setting_changed

MAX_PAGE_SIZE = 100  # the greatest `limit` of a list, as at OpenAI
STRICT_POLICY = {  # no script, style, image or request but the own server's
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "font-src": ["'self'"],
    "connect-src": ["'self'"],
    "form-action": ["'self'"],
    "frame-ancestors": ["'none'"],
    "base-uri": ["'none'"],
}

T = TypeVar("T")


class AppSettings:
    def __init__(self) -> None:
        self._values: dict[str, Any] = {}  # Django's lookup of a setting that is not set is slow.
        setting_changed.connect(self._clear)

    @property
    def api_key_seconds(self) -> float:
        """How long, in seconds, a process caches an API key. A revoked key works for at most that long."""
        return self._get("API_KEY_SECONDS", 5)

    @property
    def authentication_classes(self) -> Sequence[str]:
        """Dotted paths of DRF authentication classes."""
        return self._get("AUTHENTICATION_CLASSES", ["conversations.api.authentication.APIKeyAuthentication"])

    @property
    def body_seconds(self) -> float:
        """How long the service waits for the body of a request, in seconds."""
        return self._get("BODY_SECONDS", 60)

    @property
    def content_security_policy(self) -> Mapping[str, Any] | None:
        """Policy of the admin's pages in the format of Django's SECURE_CSP, or None to set no policy."""
        return self._get("CONTENT_SECURITY_POLICY", STRICT_POLICY)

    @property
    def default_include(self) -> Sequence[str]:
        """`include` values that apply to every request."""
        return self._get("DEFAULT_INCLUDE", [])

    @property
    def default_page_size(self) -> int:
        """Rows per page of a list whose request has no `limit`."""
        return self._get("DEFAULT_PAGE_SIZE", 20)

    @property
    def extra_item_types(self) -> Sequence[str]:
        """Item types to store unvalidated in addition to the built-in ones."""
        return self._get("EXTRA_ITEM_TYPES", [])

    @property
    def full_text(self) -> bool:
        """Whether the text of items is indexed and can be searched. Any value but True turns it off."""
        return self._get("FULL_TEXT", False) is True

    @property
    def max_body_bytes(self) -> int:
        return self._get("MAX_BODY_BYTES", 32 * 1024 * 1024)

    @property
    def max_bytes_in_flight(self) -> int:
        """How many bytes of request bodies each process of the service holds at once."""
        return self._get("MAX_BYTES_IN_FLIGHT", 256 * 1024 * 1024)

    @property
    def max_items_per_request(self) -> int:
        return self._get("MAX_ITEMS_PER_REQUEST", 20)

    @property
    def max_json_values(self) -> int:
        """Maximum number of JSON values in a request, counted as commas and opening brackets outside of strings."""
        return self._get("MAX_JSON_VALUES", 1_000_000)

    @property
    def poll_seconds(self) -> float:
        """How often, in seconds, an open list or transcript of the admin asks for what is new. 0 turns it off."""
        return self._get("POLL_SECONDS", 20)

    @property
    def rate_limit(self) -> str:
        """Requests per API key, as in "600/min", or an empty string for no limit."""
        return self._get("RATE_LIMIT", "")

    @property
    def recognize_retries(self) -> bool:
        """Whether a retry of OpenAI's clients without an Idempotency-Key gets the first answer again."""
        return self._get("RECOGNIZE_RETRIES", True)

    @property
    def redactors(self) -> Sequence[str]:
        """Dotted paths of functions that take and return an item's data before it is stored."""
        return self._get("REDACTORS", [])

    @property
    def replica(self) -> str:
        """Alias of a database that is a streaming replica of the default one, or an empty string."""
        return self._get("REPLICA", "")

    @property
    def restore_days(self) -> int:
        """How many days a conversation deleted in the admin can be restored. 0 deletes permanently at once."""
        return self._get("RESTORE_DAYS", 30)

    @property
    def staff_can_read_content(self) -> bool:
        """Whether staff with the permission can read items in the admin. Any value but True refuses everyone."""
        return self._get("STAFF_CAN_READ_CONTENT", True) is True

    @property
    def unknown_item_fields(self) -> Literal["keep", "reject"]:
        """Whether an item field that its type does not define is stored or is an error."""
        return self._get("UNKNOWN_ITEM_FIELDS", "keep")

    @property
    def visible_to(self) -> str:
        """Dotted path of a function that selects the conversations a user may see, or an empty string."""
        return self._get("VISIBLE_TO", "")

    def _get(self, name: str, default: T) -> T:
        if name not in self._values:
            self._values[name] = getattr(django_settings, f"CONVERSATIONS_{name}", default)
        value: T = self._values[name]
        return value

    def _clear(self, **kwargs: Any) -> None:
        self._values.clear()


app_settings = AppSettings()
