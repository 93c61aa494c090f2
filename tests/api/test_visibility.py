"""Who sees a conversation, if CONVERSATIONS_VISIBLE_TO or a subclass of the views decides."""

import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse

from conversations.api.views import ConversationViewSet
from conversations.models import APIKey, Conversation
from conversations.owned_conversations import OwnedConversations
from tests.api.conftest import APIClient
from tests.live.replica import wait_for_replay

HELLO = {"role": "user", "content": "Hello!"}


@pytest.fixture
def as_carol(db) -> APIClient:
    return APIClient(APIKey.create(user=User.objects.create_user("carol"))[1])


@pytest.fixture
def team(settings, alice, bob) -> Group:
    """A team of alice and bob. Carol is in another one."""
    settings.CONVERSATIONS_VISIBLE_TO = "tests.visibility.visible_to_group"
    team = Group.objects.create(name="team")
    team.user_set.add(alice, bob)
    return team


@pytest.fixture
def conversation_id(as_alice) -> str:
    conversation_id = as_alice.new_conversation(HELLO, topic="demo")
    wait_for_replay()  # The requests of others may read from a replica that lags behind.
    return conversation_id


def operations(conversation_id, item_id):
    """The operations on a conversation, the last of which deletes it."""
    path = f"/conversations/{conversation_id}"
    return [
        lambda client: client.get(path),
        lambda client: client.get(f"{path}/items"),
        lambda client: client.get(f"{path}/items/{item_id}"),
        lambda client: client.post(f"{path}/items", {"items": [HELLO]}),
        lambda client: client.post(path, {"metadata": {"topic": "new"}}),
        lambda client: client.post(f"{path}/fork", {"after": item_id}),
        lambda client: client.post(f"{path}/rewind", {"after": item_id}),
        lambda client: client.delete(f"{path}/items/{item_id}"),
        lambda client: client.delete(path),
    ]


@pytest.mark.usefixtures("team")
def test_teammates_use_conversations_of_each_other_and_nobody_else_does(
    as_alice, as_bob, as_carol, conversation_id, bob
):
    [item] = as_alice.items(conversation_id)
    for operation in operations(conversation_id, item["id"]):
        refused = operation(as_carol)
        assert refused.status_code == 404
        assert refused.json()["error"]["message"] == f"Conversation with id '{conversation_id}' not found."
        assert operation(as_bob).status_code == 200
    assert Conversation.objects.get().owner == bob  # the fork of the deleted conversation


@pytest.mark.usefixtures("team")
def test_lists_and_suggestions_have_the_conversations_of_the_team(as_bob, as_carol, conversation_id):
    for client, ids, keys in ((as_bob, [conversation_id], ["topic"]), (as_carol, [], [])):
        for query in ({}, {"query": "topic:demo"}, {"query": "topic:*"}, {"query": "created>2020-01-01"}):
            assert [row["id"] for row in client.get("/conversations", **query).json()["data"]] == ids
        assert client.get("/conversation_metadata/keys").json()["data"] == keys
        values = client.get("/conversation_metadata/values", key="topic").json()["data"]
        assert values == ["demo"] * len(keys)


@pytest.mark.usefixtures("team")
def test_conversation_that_a_teammate_appends_to_keeps_its_owner(alice, bob, as_bob, conversation_id):
    assert as_bob.post(f"/conversations/{conversation_id}/items", {"items": [HELLO]}).status_code == 200
    assert Conversation.objects.get().owner == alice
    assert as_bob.new_conversation()
    assert Conversation.objects.filter(owner=bob).count() == 1


@pytest.mark.usefixtures("team")
def test_references_lead_only_to_what_the_caller_sees(as_alice, as_bob, as_carol, conversation_id):
    [item] = as_alice.items(conversation_id)
    reference = {"type": "item_reference", "id": item["id"]}
    as_bob.new_conversation(reference)
    for path in ("/conversations", f"/conversations/{as_carol.new_conversation()}/items"):
        assert as_carol.post(path, {"items": [reference]}).status_code == 404


def test_rule_may_hide_the_conversations_of_an_owner_from_a_reference(as_alice, as_bob, alice, bob, settings):
    settings.CONVERSATIONS_VISIBLE_TO = "tests.api.test_visibility.own_or_shared"
    secret_id = as_alice.new_conversation(HELLO | {"id": "msg_1", "content": "secret"})
    shared_id = as_alice.new_conversation(shared="yes")
    reference = {"type": "item_reference", "id": "msg_1"}
    assert as_bob.get(f"/conversations/{secret_id}").status_code == 404
    assert as_bob.post(f"/conversations/{shared_id}/items", {"items": [reference]}).status_code == 404
    guess = HELLO | {"id": "msg_1", "content": "guess"}
    response = as_bob.post(f"/conversations/{shared_id}/items", {"items": [guess]})
    assert response.json()["data"][0]["content"][0]["text"] == "guess"


def own_or_shared(conversations, user):
    return conversations.filter(owner=user.pk) | conversations.with_metadata(shared="yes")


def test_subclass_of_a_view_may_restrict_the_conversations(rf, alice, settings):
    class DemoViewSet(ConversationViewSet):
        authentication_classes = []
        permission_classes = []

        def get_queryset(self):
            return super().get_queryset().with_metadata(topic="demo")

    demo, other = (Conversation.objects.create_with_items(owner=alice, metadata={"topic": t}) for t in ("demo", "x"))
    view = DemoViewSet.as_view({"get": "retrieve", "delete": "destroy"})
    settings.CONVERSATIONS_AUTHENTICATION_CLASSES = []
    for method in (rf.get, rf.delete):
        for row, status in ((demo, 200), (other, 404)):
            request = method("/")
            request.user = alice
            request._force_auth_user = alice
            assert view(request, conversation_id=row.pk).status_code == status


def test_default_rule_uses_precompiled_lookups(alice, rf):
    view = ConversationViewSet()
    view.request = rf.get("/")
    view.request.user = alice
    assert isinstance(view.conversations, OwnedConversations)


@pytest.mark.usefixtures("team")
def test_admin_shows_the_conversations_that_the_rule_selects(client, bob, alice, as_carol, conversation_id):
    hidden_id = as_carol.new_conversation(topic="hidden")
    bob.is_staff = bob.is_superuser = True
    bob.save()
    client.force_login(bob)
    rows = client.get(reverse("admin:conversations_conversation_changelist")).content.decode()
    assert conversation_id in rows
    assert hidden_id not in rows
    suggestions = client.get(
        reverse("admin:conversations_conversation_suggestions"), {"key": "topic", "prefix": ""}
    ).json()
    assert suggestions["data"] == ["demo"]
    for pk, status in ((conversation_id, 200), (hidden_id, 302)):
        assert client.get(Conversation(pk=pk).get_absolute_url()).status_code == status
    assert client.get(reverse("admin:conversations_overview")).status_code == 403
    front_page = client.get(reverse("admin:app_list", args=["conversations"])).content.decode()
    assert reverse("admin:conversations_overview") not in front_page
