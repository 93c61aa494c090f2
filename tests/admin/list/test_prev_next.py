"""Links to the previous and the next conversation of the list."""

import re
from html import unescape
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.contrib.admin.utils import quote
from django.urls import reverse
from django.utils.http import urlencode

from conversations.models import Conversation

LIST_URL = reverse("admin:conversations_conversation_changelist")


def change_url(conversation: Conversation) -> str:
    return reverse("admin:conversations_conversation_change", args=[quote(conversation.pk)])


def links(response) -> dict[str, str]:
    matches = re.findall(r'<a href="([^"]*)" rel="(prev|next)" data-shortcut="([jk])"', response.content.decode())
    return {key: unescape(url) for url, _rel, key in matches}


@pytest.fixture
def conversations(alice, bob) -> list[Conversation]:
    """Four conversations, newest first."""
    owners = [alice, bob, alice, alice]
    return [Conversation.objects.create_with_items(owner=owner, metadata={"k": "v"}) for owner in owners][::-1]


def test_next_conversation_is_the_one_below_in_the_list(admin_client, conversations):
    assert links(admin_client.get(change_url(conversations[1]))) == {
        "k": change_url(conversations[0]),
        "j": change_url(conversations[2]),
    }
    assert links(admin_client.get(change_url(conversations[0]))) == {"j": change_url(conversations[1])}
    assert links(admin_client.get(change_url(conversations[3]))) == {"k": change_url(conversations[2])}


@pytest.mark.parametrize("filters", ["owner=alice", "owner=alice&q=k:v", "metadata_key=k&metadata_value=v&owner=alice"])
def test_previous_and_next_follow_the_filters_and_order_of_the_list(admin_client, conversations, filters):
    for order, key, other in (("", "j", "k"), ("&o=title", "k", "j")):
        preserved = urlencode({"_changelist_filters": filters + order})
        response = admin_client.get(f"{change_url(conversations[1])}?{preserved}")
        assert links(response) == {
            other: f"{change_url(conversations[0])}?{preserved}",
            key: f"{change_url(conversations[3])}?{preserved}",
        }
        html = unescape(response.content.decode())
        assert f'<a href="{LIST_URL}?{filters}{order}#searchbar" data-shortcut="/">' in html


@pytest.mark.parametrize("filters", ["owner=nobody", "q=k:", "nonsense=1", "items__data__contains=x"])
def test_invalid_filters_give_no_previous_or_next_link(admin_client, conversations, filters):
    response = admin_client.get(f"{change_url(conversations[1])}?{urlencode({'_changelist_filters': filters})}")
    assert response.status_code == 200
    assert links(response) == {}


def test_previous_and_next_follow_the_order_of_the_last_activity(admin_client, conversations):
    for conversation in (conversations[2], conversations[0]):
        conversation.add_items([{"role": "user", "content": "hi"}])
    of_another_owner = urlencode({"_changelist_filters": "o=last_item&owner=bob"})
    assert links(admin_client.get(f"{change_url(conversations[0])}?{of_another_owner}")) == {}
    preserved = urlencode({"_changelist_filters": "o=last_item"})
    assert links(admin_client.get(f"{change_url(conversations[2])}?{preserved}")) == {
        "k": f"{change_url(conversations[0])}?{preserved}",
        "j": f"{change_url(conversations[1])}?{preserved}",
    }


def test_metadata_pair_link_adds_a_condition_to_the_list_filters(admin_client, conversations):
    response = admin_client.get(f"{change_url(conversations[1])}?{urlencode({'_changelist_filters': 'owner=alice'})}")
    [url] = re.findall(r'class="conversations-pair" href="([^"]*)"', response.content.decode())
    assert urlsplit(url).path == LIST_URL
    assert dict(parse_qsl(urlsplit(unescape(url)).query)) == {
        "owner": "alice",
        "metadata_key": "k",
        "metadata_operator": "eq",
        "metadata_value": "v",
    }


def test_previous_and_next_are_found_without_reading_a_list_page(admin_client, conversations, monkeypatch):
    monkeypatch.setattr("conversations.admin.list.change_list.ConversationChangeList.page", None)
    assert len(links(admin_client.get(change_url(conversations[1])))) == 2


def test_keyboard_shortcuts_can_be_toggled_for_all_pages(admin_client, conversations):
    for page in (LIST_URL, change_url(conversations[0])):
        assert 'data-shortcuts="on"' in admin_client.get(page).content.decode()
        off = admin_client.get(f"{page}?shortcuts=off", follow=True).content.decode()
        assert 'data-shortcuts="off"' in off
        assert "shortcuts=on" in off
        for other in (LIST_URL, change_url(conversations[1])):
            assert 'data-shortcuts="off"' in admin_client.get(other).content.decode()
        assert 'data-shortcuts="on"' in admin_client.get(f"{page}?shortcuts=on", follow=True).content.decode()
