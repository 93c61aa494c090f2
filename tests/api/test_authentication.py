from base64 import b64encode
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.utils import timezone, translation

from conversations.api.views import ConversationViewSet
from conversations.models import APIKey, Conversation
from tests.api.conftest import APIClient

URL = "/v1/conversations"
MISSING = "Missing bearer or basic authentication in header"


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "sk-conv-x", "Basic", "Basic %%%", "Basic Og==", "Digest x"]
)
def test_request_without_a_key_is_unauthorized(db, assert_error, header):
    headers = {} if header is None else {"authorization": header}
    response = Client(headers=headers).generic("POST", URL)
    assert_error(response, 401, MISSING)
    assert response["WWW-Authenticate"] == 'Bearer realm="OpenAI API"'
    assert not Conversation.objects.exists()


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ("x", "x"),
        ("wrong", "wr***"),
        ("sk-conv-abcdefghijklmnopqrstuvwxyz", "sk-conv-**********************wxyz"),
        ("s" * 10_000, "ssssssss" + "*" * 40 + "ssss"),
    ],
)
def test_invalid_key_is_masked_in_the_error(db, assert_error, secret, shown):
    response = Client(headers={"authorization": f"Bearer {secret}"}).generic("POST", URL)
    assert_error(
        response,
        401,
        f"Incorrect API key provided: {shown}. "
        "You can find your API key at https://platform.openai.com/account/api-keys.",
        code="invalid_api_key",
    )
    assert response["WWW-Authenticate"] == 'Bearer realm="OpenAI API"'


def test_authentication_scheme_is_case_insensitive(alice_secret):
    assert Client(headers={"authorization": f"bearer  {alice_secret}"}).generic("POST", URL).status_code == 200


@pytest.mark.parametrize("credentials", ["{}:", ":{}", "ann:{}", "{}"])
def test_basic_authentication_takes_the_key_from_either_field(alice, alice_secret, credentials):
    header = f"Basic {b64encode(credentials.format(alice_secret).encode()).decode()}"
    assert Client(headers={"authorization": header}).generic("POST", URL).status_code == 200
    assert Conversation.objects.get().owner == alice


def test_azures_header_authenticates_unless_there_is_authorization(alice, alice_secret, assert_error):
    assert Client(headers={"api-key": alice_secret}).generic("POST", URL).status_code == 200
    both = {"api-key": alice_secret, "authorization": "Bearer wrong"}
    assert Client(headers=both).generic("POST", URL).status_code == 401
    both = {"api-key": "wrong", "authorization": f"Bearer {alice_secret}"}
    assert Client(headers=both).generic("POST", URL).status_code == 200
    assert [conversation.owner for conversation in Conversation.objects.all()] == [alice, alice]


def test_key_authenticates_its_user(alice, as_alice):
    as_alice.new_conversation()
    assert Conversation.objects.get().owner == alice


def test_keys_of_the_same_user_access_the_same_conversations(alice, as_alice):
    conversation_id = as_alice.new_conversation()
    other = APIClient(APIKey.create(user=alice)[1])
    assert other.get(f"/conversations/{conversation_id}").status_code == 200


def test_revoked_expired_and_inactive_keys_are_refused(alice, alice_secret, settings):
    settings.CONVERSATIONS_API_KEY_SECONDS = 0

    def status() -> int:
        return Client(headers={"authorization": f"Bearer {alice_secret}"}).generic("POST", URL).status_code

    key = APIKey.objects.get()
    assert status() == 200
    APIKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert status() == 401
    APIKey.objects.update(expires_at=timezone.now() + timedelta(hours=1))
    assert status() == 200
    User.objects.update(is_active=False)
    assert status() == 401
    User.objects.update(is_active=True)
    key.revoke()
    assert status() == 401


def test_key_use_is_recorded_once_a_minute(as_alice, django_assert_num_queries, settings):
    settings.CONVERSATIONS_API_KEY_SECONDS = 0
    before = timezone.now()
    as_alice.get("/conversations/conv_none")
    used_at = APIKey.objects.get().last_used_at
    assert before <= used_at <= timezone.now()
    with django_assert_num_queries(2):
        as_alice.get("/conversations/conv_none")
    assert APIKey.objects.get().last_used_at == used_at
    assert APIKey.objects.get().last_used_from == "127.0.0.1"
    APIKey.objects.update(last_used_at=used_at - timedelta(minutes=2), last_used_from=None)
    as_alice.get("/conversations/conv_none")
    assert APIKey.objects.get().last_used_at >= used_at
    assert APIKey.objects.get().last_used_from == "127.0.0.1"


def test_authentication_classes_can_be_replaced(alice, settings, assert_error):
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if not name.startswith("project.")]
    settings.CONVERSATIONS_AUTHENTICATION_CLASSES = [
        "conversations.api.authentication.APIKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ]
    client = Client()
    client.force_login(alice)
    assert client.generic("POST", URL).status_code == 200
    assert Client(enforce_csrf_checks=True).generic("POST", URL).status_code == 401
    settings.CONVERSATIONS_AUTHENTICATION_CLASSES = ["rest_framework.authentication.SessionAuthentication"]
    assert client.generic("POST", URL).status_code == 200
    assert_error(Client().generic("POST", URL), 403, MISSING)


def test_session_does_not_authenticate_api_requests(alice):
    client = Client()
    client.force_login(alice)
    assert client.generic("POST", URL).status_code == 401


@pytest.mark.parametrize("language", ["de", "ar"])
def test_errors_are_in_english_whatever_language_is_active(alice, settings, assert_error, language):
    """An earlier request of the thread, or a middleware of the project, may have activated another language."""
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "rest_framework"]  # which has translations
    settings.CONVERSATIONS_AUTHENTICATION_CLASSES = ["rest_framework.authentication.BasicAuthentication"]
    wrong = b64encode(b"alice:wrong").decode()
    with translation.override(language):
        response = Client(headers={"authorization": f"Basic {wrong}"}).get("/v1/conversations")
        assert translation.get_language() == language
    assert_error(response, 401, "Invalid username/password.", code="authentication_failed")


@pytest.mark.parametrize(("can_read", "can_write"), [(True, False), (False, True), (True, True)])
def test_key_can_do_what_its_scopes_allow(alice, as_alice, assert_error, can_read, can_write):
    conversation_id = as_alice.new_conversation()
    client = APIClient(APIKey.create(user=alice, can_read=can_read, can_write=can_write)[1])
    read = client.get(f"/conversations/{conversation_id}")
    written = client.post(f"/conversations/{conversation_id}", {"metadata": {"topic": "demo"}})
    for response, scope, is_allowed in ((read, "read", can_read), (written, "write", can_write)):
        if is_allowed:
            assert response.status_code == 200
        else:
            text = (
                "You have insufficient permissions for this operation. Missing scopes: "
                f"api.conversations.{scope}. Check that your API key has the necessary scopes."
            )
            assert_error(response, 403, text, code="missing_scope")
    assert Conversation.objects.get().metadata == ({"topic": "demo"} if can_write else {})


def test_subclass_with_other_permissions_respects_the_scopes_of_a_key(alice):
    class OpenViewSet(ConversationViewSet):
        permission_classes = []

    secret = APIKey.create(user=alice, can_write=False)[1]
    request = RequestFactory().post("/", headers={"authorization": f"Bearer {secret}"})
    response = OpenViewSet.as_view({"post": "create"})(request)
    assert (response.status_code, response.data["error"]["code"]) == (403, "missing_scope")
    assert not Conversation.objects.exists()
