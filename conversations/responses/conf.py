"""Settings of model calls: each is `CONVERSATIONS_UPSTREAM_<NAME>` in your project's settings."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from conversations.conf import AppSettings

OPENAI_HOST = "api.openai.com"  # Regional hosts, such as eu.api.openai.com, end in it.


class UpstreamSettings(AppSettings):
    @property
    def upstream_api_key(self) -> str:
        """The key that is sent to the upstream, or an empty string to send none."""
        return self._get("UPSTREAM_API_KEY", "")

    @property
    def upstream_connect_seconds(self) -> float:
        return self._get("UPSTREAM_CONNECT_SECONDS", 10)

    @property
    def upstream_idle_seconds(self) -> float:
        """How long the upstream may send nothing, in seconds."""
        return self._get("UPSTREAM_IDLE_SECONDS", 120)

    @property
    def upstream_max_bytes(self) -> int:
        """Maximum size of the upstream's answer to a request with a conversation."""
        return self._get("UPSTREAM_MAX_BYTES", 64 * 1024 * 1024)

    @property
    def upstream_omitted_types(self) -> Sequence[str]:
        """Item types that the upstream refuses and that are therefore left out of the history."""
        return self._get("UPSTREAM_OMITTED_TYPES", [])

    @property
    def upstream_seconds(self) -> float:
        """How long the upstream may take for a whole answer, in seconds."""
        return self._get("UPSTREAM_SECONDS", 900)

    @property
    def upstream_url(self) -> str:
        """The URL of the server that runs models, up to and including `/v1`."""
        return self._get("UPSTREAM_URL", "")

    @property
    def upstream_users(self) -> Sequence[str]:
        """Names of the users whose keys may call models. Empty for all users."""
        return self._get("UPSTREAM_USERS", [])

    @property
    def is_openai(self) -> bool:
        """Whether the upstream is OpenAI. It looks up items by their ids."""
        host = urlsplit(self.upstream_url).hostname or ""
        return host == OPENAI_HOST or host.endswith(f".{OPENAI_HOST}")


upstream_settings = UpstreamSettings()
