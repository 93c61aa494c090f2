"""A user's choices hold in all of their sessions, and for no other user."""

import pytest
from django.test import Client

from conversations.models import Conversation, Preferences
from conversations.schema.items import validate_items

LIST = "/admin/conversations/conversation/"


@pytest.fixture
def conversation(alice) -> Conversation:
    items = validate_items([{"role": "user", "content": "**Hello**"}])
    return Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"}, items=items)


def open_page(user, path: str) -> str:
    """Return the HTML of the page in a new session of the user."""
    client = Client()
    client.force_login(user)
    return client.get(path, follow=True).content.decode()


@pytest.mark.parametrize(
    ("choice", "path", "html"),
    [
        ("?columns=created&column_key=topic", "", "column-created"),
        ("?shortcuts=off", "", 'data-shortcuts="off"'),
        ("{id}/change/?view=raw", "{id}/change/", 'data-language="json"'),
    ],
)
def test_preferences_outlast_the_session(admin_user, django_user_model, conversation, choice, path, html):
    other = django_user_model.objects.create_superuser("other")
    assert html not in open_page(admin_user, LIST + path.format(id=conversation.pk))
    open_page(admin_user, LIST + choice.format(id=conversation.pk))
    assert html in open_page(admin_user, LIST + path.format(id=conversation.pk))
    assert html not in open_page(other, LIST + path.format(id=conversation.pk))


def test_preferences_are_stored_independently(admin_user):
    Preferences.objects.save_choices(admin_user, shortcuts="off")
    assert Preferences.objects.save_choices(admin_user, reading={"view": "raw"}) == {
        "shortcuts": "off",
        "reading": {"view": "raw"},
    }
    assert Preferences.objects.for_user(admin_user) == {"shortcuts": "off", "reading": {"view": "raw"}}


def test_preferences_are_deleted_with_the_user(admin_user):
    Preferences.objects.save_choices(admin_user, shortcuts="off")
    admin_user.delete()
    assert not Preferences.objects.exists()
