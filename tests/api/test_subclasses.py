"""View sets and serializers that a project subclasses: behind its session login, and with a field of their own."""

import pytest
from django.test import Client

from conversations.models import Conversation

pytestmark = pytest.mark.urls("tests.api.site_urls")
HELLO = {"role": "user", "content": "Hello!", "id": "msg_1"}


@pytest.fixture
def site(alice) -> Client:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    client.cookies["csrftoken"] = "x" * 32
    return client


def post(client, path, body, **headers):
    return client.post(path, body, content_type="application/json", headers={"x-csrftoken": "x" * 32, **headers})


def test_session_and_csrf_token_are_required(site, alice, alice_secret):
    assert post(site, "/site/conversations", {"title": "Mine"}).status_code == 200
    assert Conversation.objects.get().owner == alice
    assert site.get("/site/conversations").status_code == 200
    assert post(site, "/site/conversations", {}, **{"x-csrftoken": ""}).status_code == 403
    for client in (Client(), Client(headers={"authorization": f"Bearer {alice_secret}"})):
        assert client.get("/site/conversations").status_code in (401, 403)
    assert Client(headers={"authorization": f"Bearer {alice_secret}"}).get("/v1/conversations").status_code == 200
    assert site.get("/v1/conversations").status_code == 401
    assert Conversation.objects.count() == 1


def test_every_response_with_a_conversation_has_the_field(site):
    created = post(site, "/site/conversations", {"title": "Mine", "items": [HELLO]}).json()
    assert (created["title"], created["metadata"]) == ("Mine", {"title": "Mine"})
    path = f"/site/conversations/{created['id']}"
    assert site.get(path).json() == site.get("/site/conversations").json()["data"][0] == created
    assert post(site, f"{path}/rewind", {"after": "msg_1"}).json() == created
    assert post(site, f"{path}/fork", {}).json()["title"] == "Mine"
    assert site.delete(f"{path}/items/msg_1", headers={"x-csrftoken": "x" * 32}).json() == created
    assert post(site, path, {"metadata": {"title": "Yours"}}).json()["title"] == "Yours"


def test_field_is_unknown_to_the_api_of_the_app(site, alice_secret):
    client = Client(headers={"authorization": f"Bearer {alice_secret}"})
    response = client.post("/v1/conversations", {"title": "Mine"}, content_type="application/json")
    assert response.json()["error"]["message"] == "Unknown parameter: 'title'."


def test_errors_have_the_envelope_of_the_api(site):
    response = post(site, "/site/conversations", {"titles": "Mine"})
    message = "Unknown parameter: 'titles'. Did you mean 'title'?"
    assert (response.status_code, response.json()["error"]["message"]) == (400, message)


def test_suggestions_require_a_session_too(site, alice, alice_secret):
    Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"})
    with_key = Client(headers={"authorization": f"Bearer {alice_secret}"})
    for path, expected in (("keys", ["topic"]), ("values?key=topic", ["demo"])):
        assert site.get(f"/site/conversation_metadata/{path}").json()["data"] == expected
        assert with_key.get(f"/site/conversation_metadata/{path}").status_code in (401, 403)
        assert with_key.get(f"/v1/conversation_metadata/{path}").json()["data"] == expected


def test_views_with_a_filtered_queryset_show_no_other_conversations(alice, bob, alice_secret):
    create = Conversation.objects.create_with_items
    demo = create(owner=alice, metadata={"topic": "demo", "kind": "a"}, items=[HELLO])
    other = create(owner=alice, metadata={"topic": "other", "plan": "b"}, items=[HELLO])
    create(owner=bob, metadata={"topic": "demo", "kind": "of bob"})
    client = Client(headers={"authorization": f"Bearer {alice_secret}"})
    for path, expected in (
        ("conversations", [demo.pk]),
        ("conversation_metadata/keys", ["kind", "topic"]),
        ("conversation_metadata/values?key=topic", ["demo"]),
        ("conversation_metadata/values?key=kind", ["a"]),
        ("conversation_metadata/values?key=plan", []),
    ):
        data = client.get(f"/demo/{path}").json()["data"]
        assert [row["id"] if path == "conversations" else row for row in data] == expected, path
    for path in ("", "/items", "/items/msg_1"):
        assert client.get(f"/demo/conversations/{demo.pk}{path}").status_code == 200
        assert client.get(f"/demo/conversations/{other.pk}{path}").status_code == 404
