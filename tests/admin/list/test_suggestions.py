import pytest
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.test import RequestFactory
from django.urls import reverse

from conversations.admin import ConversationAdmin
from conversations.admin.list.suggestions import SuggestionsView
from conversations.models import Conversation

URL = reverse("admin:conversations_conversation_suggestions")


@pytest.fixture(autouse=True)
def conversations(alice, bob) -> None:
    Conversation.objects.create_with_items(owner=alice, metadata={"tenant": "acme", "topic": "demo", "lang": "en"})
    Conversation.objects.create_with_items(owner=bob, metadata={"tenant": "ajax", "secret": "x"})


@pytest.mark.parametrize(
    ("query", "texts"),
    [
        ({}, ["lang", "secret", "tenant", "topic"]),
        ({"prefix": "t"}, ["tenant", "topic"]),
        ({"prefix": "T"}, []),
        ({"key": "tenant"}, ["acme", "ajax"]),
        ({"key": "tenant", "prefix": "ac"}, ["acme"]),
        ({"key": "none"}, []),
        ({"key": ""}, []),
        ({"prefix": "a\0"}, []),
        ({"prefix": "x" * 5000}, []),
    ],
)
def test_keys_and_values_are_suggested(admin_client, query, texts):
    answer = admin_client.get(URL, query)
    assert answer.json() == {"data": texts, "has_more": False}


def test_suggestions_are_limited_to_twenty(admin_client, alice):
    for number in range(11):
        Conversation.objects.create_with_items(owner=alice, metadata={f"k{number}": "", f"l{number}": ""})
    answer = admin_client.get(URL).json()
    assert (len(answer["data"]), answer["has_more"]) == (20, True)


def test_suggestions_require_the_view_permission(staff_client, client):
    assert client.get(URL).status_code == 302
    allowed = staff_client("view_conversation")
    assert allowed.get(URL).status_code == 200
    User.objects.get(username="staff").user_permissions.clear()
    assert allowed.get(URL).status_code == 403


def test_suggestions_are_limited_to_the_admins_queryset(alice, admin_user):
    class OnlyAlices(ConversationAdmin):
        def get_queryset(self, request):
            return super().get_queryset(request).filter(owner=alice)

    def texts(**query) -> bytes:
        request = RequestFactory().get("/", query)
        request.user = admin_user
        return SuggestionsView.as_view(model_admin=OnlyAlices(Conversation, AdminSite()))(request).content

    assert texts() == b'{"data": ["lang", "tenant", "topic"], "has_more": false}'
    assert texts(key="tenant") == b'{"data": ["acme"], "has_more": false}'
