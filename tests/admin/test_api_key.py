from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.models import Session
from django.urls import reverse
from django.utils import timezone

from conversations.models import APIKey

LIST_URL = reverse("admin:conversations_apikey_changelist")
ADD_URL = reverse("admin:conversations_apikey_add")


def change_url(key: APIKey) -> str:
    return reverse("admin:conversations_apikey_change", args=[key.pk])


def secret_in(html: str) -> str | None:
    return html.partition('<code class="conversations-secret">')[2].partition("</code>")[0] or None


def test_a_new_key_shows_its_secret_once(admin_client, alice):
    response = admin_client.post(ADD_URL, {"user": alice.pk, "name": "laptop"}, follow=True)
    secret = secret_in(response.content.decode())
    key = APIKey.objects.get()
    assert APIKey.authenticate(secret) == key
    assert (key.user, key.name, key.expires_at) == (alice, "laptop", None)
    for url in (LIST_URL, change_url(key), reverse("admin:conversations_apikey_history", args=[key.pk])):
        assert secret not in admin_client.get(url).content.decode()


def test_secret_of_a_new_key_is_not_stored(admin_client, alice):
    response = admin_client.post(ADD_URL, {"user": alice.pk, "name": "laptop"}, follow=True)
    secret = secret_in(response.content.decode())
    log = LogEntry.objects.get()
    assert log.object_repr == str(APIKey.objects.get())
    assert secret not in f"{log.object_repr} {log.change_message}"
    assert not any(secret in str(session.get_decoded()) for session in Session.objects.all())
    assert secret not in str(list(APIKey.objects.values()))
    assert secret not in str(admin_client.cookies)


def test_a_new_key_can_be_given_an_expiry(admin_client, alice):
    form = {"user": alice.pk, "name": "", "expires_at_0": "2199-01-31", "expires_at_1": "12:00:00"}
    admin_client.post(ADD_URL, form)
    assert APIKey.objects.get().expires_at.year == 2199


def test_user_of_a_new_key_is_entered_as_a_raw_id(admin_client, alice):
    html = admin_client.get(ADD_URL).content.decode()
    assert "vForeignKeyRawIdAdminField" in html
    assert "alice" not in html
    assert admin_client.post(ADD_URL, {"user": "0", "name": "x"}).status_code == 200
    assert not APIKey.objects.exists()


def test_only_the_name_can_be_changed(admin_client, alice, bob):
    key, secret = APIKey.create(user=alice, name="old")
    before = APIKey.objects.values().get()
    form = {"name": "new", "user": bob.pk, "prefix": "x", "hash": "x", "revoked_at_0": "2020-01-01"}
    response = admin_client.post(change_url(key), form, follow=True)
    assert secret_in(response.content.decode()) is None
    assert APIKey.objects.values().get() == {**before, "name": "new"}
    assert APIKey.authenticate(secret)


def test_key_list_shows_the_state_of_each_key(admin_client, alice):
    inactive = User.objects.create_user("gone", is_active=False)
    APIKey.create(user=alice, name="active")
    APIKey.create(user=alice, name="expired", expires_at=timezone.now() - timedelta(days=1))
    APIKey.create(user=alice, name="revoked")[0].revoke()
    APIKey.create(user=inactive, name="user inactive")
    html = admin_client.get(LIST_URL).content.decode()
    for state in ("active", "expired", "revoked", "user inactive"):
        row = html.partition(f">{state}</a>")[2].partition("</tr>")[0]
        assert f'<td class="field-state">{state}</td>' in row


def test_key_list_takes_a_constant_number_of_queries(admin_client, alice, bob, django_assert_num_queries):
    for user in (alice, bob) * 5:
        APIKey.create(user=user)
    with django_assert_num_queries(3):  # session, user, rows
        admin_client.get(LIST_URL)


@pytest.mark.parametrize(("term", "names"), [("lap", ["laptop"]), ("bob", ["server"]), ("sk-conv", [])])
def test_keys_are_found_by_name_and_username(admin_client, alice, bob, term, names):
    APIKey.create(user=alice, name="laptop")
    APIKey.create(user=bob, name="server")
    keys = admin_client.get(LIST_URL, {"q": term}).context["cl"].result_list
    assert [key.name for key in keys] == names


def test_second_revocation_changes_and_logs_nothing(staff_client, alice):
    client = staff_client("view_apikey", "change_apikey")
    key, secret = APIKey.create(user=alice, name="laptop")
    form = {"action": "revoke", "_selected_action": [key.pk]}
    assert "Revoked 1 API key." in client.post(LIST_URL, form, follow=True).content.decode()
    first = APIKey.objects.get().revoked_at
    assert "Revoked 0 API keys." in client.post(LIST_URL, form, follow=True).content.decode()
    assert APIKey.objects.get().revoked_at == first
    assert APIKey.authenticate(secret) is None
    assert LogEntry.objects.get().change_message == "Revoked."


def test_view_permission_allows_neither_revoking_nor_creating_keys(staff_client, alice):
    client = staff_client("view_apikey")
    key, _secret = APIKey.create(user=alice)
    client.post(LIST_URL, {"action": "revoke", "_selected_action": [key.pk]})
    assert APIKey.objects.get().revoked_at is None
    assert client.post(ADD_URL, {"user": alice.pk}).status_code == 403
    assert client.get(change_url(key)).status_code == 200


def test_creating_a_key_for_another_user_requires_the_change_user_permission(staff_client, alice):
    client = staff_client("add_apikey", "view_apikey")
    staff = User.objects.get(username="staff")
    assert 'name="user"' not in client.get(ADD_URL).content.decode()
    client.post(ADD_URL, {"user": alice.pk, "name": "mine"})
    assert APIKey.objects.get().user == staff
    staff.user_permissions.add(Permission.objects.get(codename="change_user"))
    assert 'name="user"' in client.get(ADD_URL).content.decode()
    client.post(ADD_URL, {"user": alice.pk, "name": "hers"})
    assert APIKey.objects.get(name="hers").user == alice


def test_keys_cannot_be_deleted(admin_client, alice):
    key, _secret = APIKey.create(user=alice)
    assert "deletelink" not in admin_client.get(change_url(key)).content.decode()
    assert "delete_selected" not in admin_client.get(LIST_URL).content.decode()
    url = reverse("admin:conversations_apikey_delete", args=[key.pk])
    assert admin_client.post(url, {"post": "yes"}).status_code == 403
    admin_client.post(LIST_URL, {"action": "delete_selected", "_selected_action": [key.pk], "post": "yes"})
    assert APIKey.objects.get() == key


def test_keys_are_deleted_with_their_user(admin_client, alice):
    APIKey.create(user=alice)
    admin_client.post(reverse("admin:auth_user_delete", args=[alice.pk]), {"post": "yes"})
    assert not User.objects.filter(username="alice").exists()
    assert not APIKey.objects.exists()
