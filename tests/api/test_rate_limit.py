import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from django.core.cache import cache
from django.core.cache.backends.base import BaseCache
from django.test import Client
from openai import OpenAI, RateLimitError

from conversations.api.throttling import format_duration
from conversations.models import APIKey, Conversation
from tests.api.conftest import APIClient
from tests.sdk.endpoints import InProcess
from tests.waiting import wait_until

HEADERS = ("x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests")


class BrokenCache(BaseCache):
    """A cache whose server is down."""

    def __init__(self, location, params):
        super().__init__(params)

    def get(self, *args, **kwargs):
        raise ConnectionError("no answer")


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory) -> Iterator[str]:
    server = shutil.which("redis-server")
    if not server:
        stop = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        stop("redis-server is not installed")
    directory = tmp_path_factory.mktemp("redis")
    socket = directory / "s"
    command = [server, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(directory)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_until(socket.exists)
        yield f"unix://{socket}"
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(params=["file", "redis"])
def shared_cache(request, settings, tmp_path) -> None:
    backends = {"file": "filebased.FileBasedCache", "redis": "redis.RedisCache"}
    location = request.getfixturevalue("redis_url") if request.param == "redis" else str(tmp_path)
    settings.CACHES = {
        "default": {"BACKEND": f"django.core.cache.backends.{backends[request.param]}", "LOCATION": location}
    }


def use_up(secret: str, *, seconds_until_next: float, settings) -> None:
    """Let the cache count a request that is `seconds_until_next` from being forgotten."""
    settings.CONVERSATIONS_RATE_LIMIT = "1/hour"
    assert APIClient(secret).get("/conversations").status_code == 200
    key = f"conversations-rate-{APIKey.objects.get().hash}"
    [time] = cache.get(key)
    cache.set(key, [time - 3600 + seconds_until_next])


def test_requests_beyond_the_limit_are_refused(alice, as_alice, as_bob, settings, shared_cache, assert_error):
    settings.CONVERSATIONS_RATE_LIMIT = "3/hour"
    for remaining in ("2", "1", "0"):
        response = as_alice.post("/conversations")
        assert response.status_code == 200
        assert [response[name] for name in HEADERS] == ["3", remaining, "1h0m0s"]
    refused = as_alice.post("/conversations")
    seconds = refused["Retry-After"]
    assert 3000 < int(seconds) <= 3600
    message = f"Rate limit reached. Please try again in {seconds}s."
    assert_error(refused, 429, message, type="requests", code="rate_limit_exceeded")
    assert [refused[name] for name in HEADERS[:2]] == ["3", "0"]
    assert refused[HEADERS[2]].endswith("s")
    assert alice.conversations.count() == 3
    # Other keys have limits of their own.
    assert APIClient(APIKey.create(user=alice)[1]).post("/conversations").status_code == 200
    assert as_bob.post("/conversations").status_code == 200


def test_refused_request_changes_nothing_and_can_be_repeated(as_alice, settings, tmp_path):
    settings.CONVERSATIONS_RATE_LIMIT = "2/hour"
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": str(tmp_path)}
    }
    conversation_id = as_alice.new_conversation(topic="demo")
    as_alice.get("/conversations")
    path = f"/conversations/{conversation_id}"
    refused = [as_alice.delete(path, key="k"), as_alice.post(path, {"metadata": {}}), as_alice.get(path)]
    assert [response.status_code for response in refused] == [429] * 3
    assert Conversation.objects.get().metadata == {"topic": "demo"}
    cache.clear()
    assert as_alice.delete(path, key="k").status_code == 200
    assert not Conversation.objects.exists()


def test_user_without_a_key_has_one_limit(alice, bob, settings, tmp_path):
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": str(tmp_path)}
    }
    settings.CONVERSATIONS_RATE_LIMIT = "1/hour"
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if not name.startswith("project.")]
    settings.CONVERSATIONS_AUTHENTICATION_CLASSES = ["rest_framework.authentication.SessionAuthentication"]
    statuses = []
    for user in (alice, alice, bob):
        client = Client()
        client.force_login(user)
        statuses.append(client.get("/v1/conversations").status_code)
    assert statuses == [200, 429, 200]


def test_requests_are_not_limited_by_default(as_alice, settings):
    settings.CACHES = {"default": {"BACKEND": "tests.api.test_rate_limit.BrokenCache"}}
    response = as_alice.get("/conversations")
    assert response.status_code == 200
    assert not any(name in response for name in HEADERS)


def test_requests_are_not_limited_while_the_cache_fails(as_alice, settings, caplog):
    settings.CONVERSATIONS_RATE_LIMIT = "1/hour"
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.BrokenCache"}}
    for _ in range(2):
        response = as_alice.get("/conversations")
        assert response.status_code == 200
        assert not any(name in response for name in HEADERS)
    assert "The cache can't be used. Requests are not limited." in caplog.text


def test_requests_without_a_valid_key_are_not_counted(db, settings):
    settings.CONVERSATIONS_RATE_LIMIT = "1/hour"
    for _ in range(2):
        assert Client().get("/v1/conversations").status_code == 401
        assert Client().get("/v1/nothing").status_code == 404


def test_official_client_succeeds_after_its_retry(alice_secret, settings, shared_cache):
    use_up(alice_secret, seconds_until_next=2.5, settings=settings)
    endpoint = InProcess(secret=alice_secret, bobs_secret="")
    with endpoint.running(), endpoint.sync_client() as client:
        with pytest.raises(RateLimitError) as raised:
            client.conversations.create()
        assert raised.value.response.headers["retry-after"] in ("1", "2", "3")
        assert raised.value.response.headers["x-ratelimit-remaining-requests"] == "0"
        retrying: OpenAI = client.with_options(max_retries=2)
        response = retrying.conversations.with_raw_response.create()
    assert response.retries_taken == 1
    assert Conversation.objects.get().pk == response.parse().id


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0ms"),
        (0, "0ms"),
        (0.0204, "20ms"),
        (0.9996, "1s"),
        (1.5, "1.5s"),
        (60, "1m0s"),
        (360, "6m0s"),
        (86_400, "24h0m0s"),
    ],
)
def test_durations_are_written_as_openai_writes_them(seconds, text):
    assert format_duration(seconds) == text
