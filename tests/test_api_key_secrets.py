import logging
from collections.abc import Iterator
from io import StringIO

import pytest
from django.conf import settings
from django.test import Client

from conversations.api_key_secrets import ScrubSecrets, find_secret, new_secret, scrub_secrets, visible_prefix
from conversations.models import AccessRecord


@pytest.fixture
def secret() -> str:
    return new_secret()


@pytest.fixture
def console() -> Iterator[StringIO]:
    """The output of a handler that is configured as the console of the service."""
    [name] = settings.LOGGING["handlers"]["console"]["filters"]
    assert settings.LOGGING["filters"][name] == {"()": "conversations.api_key_secrets.ScrubSecrets"}
    output = StringIO()
    handler = logging.StreamHandler(output)
    handler.addFilter(ScrubSecrets())
    root = logging.getLogger()
    root.addHandler(handler)
    yield output
    root.removeHandler(handler)


@pytest.mark.parametrize("text", ["{}", "x={}&y", "Bearer {}.", '"{}"', "{} and {}"])
def test_secrets_are_scrubbed_down_to_their_prefix(secret, text):
    assert find_secret(text.format(secret, secret)) == secret
    prefix = f"{visible_prefix(secret)}…"
    assert scrub_secrets(text.format(secret, secret)) == text.format(prefix, prefix)
    assert scrub_secrets(text.format(secret, secret), mark="") == text.format(prefix[:-1], prefix[:-1])


@pytest.mark.parametrize("text", ["", "sk-conv-", "sk-conv-abcdef", "sk-conv-abcdef…", "the plan of sk-conv-rotation"])
def test_other_texts_stay_as_they_are(text):
    assert scrub_secrets(text) == text
    assert find_secret(text) is None


def test_secret_that_was_cut_is_scrubbed(secret):
    assert scrub_secrets(secret[:30]) == f"{visible_prefix(secret)}…"


def test_log_has_no_secret_of_a_message_its_arguments_or_a_traceback(console, secret):
    logger = logging.getLogger("tests")
    logger.warning("GET /?q=%s from %s", secret, {"key": secret})
    logger.warning("key %s", f"a {secret}")
    try:
        raise ValueError(f"bad key {secret}")
    except ValueError:
        logger.exception("failed with %s", secret)
    prefix = visible_prefix(secret)
    assert secret not in console.getvalue()
    assert f"GET /?q={prefix}… from {{'key': '{prefix}…'}}\n" in console.getvalue()
    assert f"ValueError: bad key {prefix}…\n" in console.getvalue()


def test_log_keeps_the_messages_and_tracebacks_of_others(console):
    logger = logging.getLogger("tests")
    logger.warning("%d of %s", 3, "four")
    try:
        raise ValueError("bad")
    except ValueError:
        logger.exception("failed")
    assert console.getvalue().startswith("3 of four\nfailed\nTraceback")
    assert console.getvalue().endswith("ValueError: bad\n")


def test_djangos_messages_about_a_request_have_no_secret(console, db, secret):
    assert Client().get(f"/{secret}", headers={"accept": "text/html"}).status_code == 404
    assert Client().get(f"/v1/conversations/{secret}").status_code == 401
    assert f"Not Found: /{visible_prefix(secret)}…" in console.getvalue()
    assert f"Unauthorized: /v1/conversations/{visible_prefix(secret)}…" in console.getvalue()
    assert secret not in console.getvalue()


def test_access_record_of_a_search_has_no_secret(alice, secret):
    AccessRecord.objects.record(user=alice, action="search", query=f'words: "{secret}"')
    assert AccessRecord.objects.get().query == f'words: "{visible_prefix(secret)}…"'
