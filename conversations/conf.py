"""The app's settings, each `CONVERSATIONS_<NAME>` in the host's settings, read when first used."""

from collections.abc import Sequence
from typing import Any, Literal, TypeVar

from django.conf import settings as django_settings
from django.core.signals import setting_changed

T = TypeVar("T")


class AppSettings:
    def __init__(self) -> None:
        self._values: dict[str, Any] = {}  # Django looks long for those that are not set
        setting_changed.connect(self._forget)

    @property
    def api_key_seconds(self) -> float:
        """For how long a process takes an API key for what it was when it looked last."""
        return self._get("API_KEY_SECONDS", 5)

    @property
    def authentication_classes(self) -> Sequence[str]:
        """Dotted paths of DRF authentication classes."""
        return self._get("AUTHENTICATION_CLASSES", ["conversations.api.authentication.APIKeyAuthentication"])

    @property
    def default_include(self) -> Sequence[str]:
        """`include` values that are revealed without being asked for."""
        return self._get("DEFAULT_INCLUDE", [])

    @property
    def extra_item_types(self) -> Sequence[str]:
        """Item types that are stored as they are, though this version does not know them."""
        return self._get("EXTRA_ITEM_TYPES", [])

    @property
    def full_text(self) -> bool:
        """Whether what items say is indexed and can be searched."""
        return self._get("FULL_TEXT", False) is True

    @property
    def max_body_bytes(self) -> int:
        return self._get("MAX_BODY_BYTES", 32 * 1024 * 1024)

    @property
    def max_json_values(self) -> int:
        """How many values the JSON of a request may hold, counted as commas and opening brackets outside of strings."""
        return self._get("MAX_JSON_VALUES", 1_000_000)

    @property
    def replica(self) -> str:
        """The alias of a database that is a streaming replica of the default one, or none."""
        return self._get("REPLICA", "")

    @property
    def restore_days(self) -> int:
        """For how long a conversation that was deleted in the admin can be restored. 0 deletes it for good at once."""
        return self._get("RESTORE_DAYS", 30)

    @property
    def staff_can_read_content(self) -> bool:
        """Whether the admin shows items to those who have the permission. Anything but True refuses everyone."""
        return self._get("STAFF_CAN_READ_CONTENT", True) is True

    @property
    def unknown_item_fields(self) -> Literal["keep", "reject"]:
        return self._get("UNKNOWN_ITEM_FIELDS", "keep")

    def _get(self, name: str, default: T) -> T:
        if name not in self._values:
            self._values[name] = getattr(django_settings, f"CONVERSATIONS_{name}", default)
        value: T = self._values[name]
        return value

    def _forget(self, **kwargs: Any) -> None:
        self._values.clear()


app_settings = AppSettings()
