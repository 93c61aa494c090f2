from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.models import Session
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from conversations.models import AccessRecord, APIKey

LIST_URL = reverse("admin:conversations_apikey_changelist")
ADD_URL = reverse("admin:conversations_apikey_add")
SCOPES = {"can_read": "on", "can_write": "on"}


def change_url(key: APIKey) -> str:
    return reverse("admin:conversations_apikey_change", args=[key.pk])


def secret_in(html: str) -> str | None:
    return html.partition('<code class="conversations-secret"')[2].partition(">")[2].partition("</code>")[0] or None


def test_a_new_key_shows_its_secret_once(admin_client, alice):
    response = admin_client.post(ADD_URL, {**SCOPES, "user": "alice", "name": "laptop"})
    secret = secret_in(response.content.decode())
    key = APIKey.objects.get()
    assert APIKey.authenticate(secret) == key
    assert (key.user, key.name, key.expires_at) == (alice, "laptop", None)
    for url in (LIST_URL, change_url(key), reverse("admin:conversations_apikey_history", args=[key.pk])):
        assert secret not in admin_client.get(url).content.decode()


def rotate_url(key: APIKey) -> str:
    return reverse("admin:conversations_apikey_rotate", args=[key.pk])


def assert_nowhere_but_in(response: HttpResponse, secret: str, client: Client) -> None:
    """Assert that the response shows the secret, and that no cookie, session, log entry or key stores it."""
    assert response.status_code == 200
    assert secret_in(response.content.decode()) == secret
    assert "no-store" in response["Cache-Control"]
    assert secret not in f"{client.cookies} {response.headers} {list(APIKey.objects.values())}"
    assert secret not in str(list(LogEntry.objects.values()))
    assert not any(secret in str(session.get_decoded()) for session in Session.objects.all())


def test_secret_of_a_new_key_is_only_in_the_response_to_the_form(admin_client, alice):
    response = admin_client.post(ADD_URL, {**SCOPES, "user": "alice", "name": "laptop"})
    secret = secret_in(response.content.decode())
    assert APIKey.authenticate(secret) == APIKey.objects.get()
    assert_nowhere_but_in(response, secret, admin_client)
    assert "messages" not in admin_client.cookies
    assert LogEntry.objects.get().object_repr == str(APIKey.objects.get())


@pytest.mark.parametrize("scope", ["can_read", "can_write"])
def test_a_new_key_has_the_chosen_scopes(admin_client, alice, scope):
    admin_client.post(ADD_URL, {"user": "alice", scope: "on"})
    key = APIKey.objects.get()
    assert [name for name in SCOPES if getattr(key, name)] == [scope]
    assert f'<td class="field-scopes">{scope[4:]}</td>' in admin_client.get(LIST_URL).content.decode()


def test_a_new_key_needs_a_scope(admin_client, alice):
    response = admin_client.post(ADD_URL, {"user": "alice"})
    assert "Let the key read or write, or both." in response.content.decode()
    assert not APIKey.objects.exists()


def test_a_new_key_can_be_given_an_expiry(admin_client, alice):
    form = {**SCOPES, "user": "alice", "name": "", "expires_at_0": "2199-01-31", "expires_at_1": "12:00:00"}
    admin_client.post(ADD_URL, form)
    assert APIKey.objects.get().expires_at.year == 2199


@pytest.mark.parametrize(("name", "error"), [("nobody", "No such user."), ("1", "No such user."), ("", "required")])
def test_user_of_a_new_key_is_entered_by_name(admin_client, alice, name, error):
    html = admin_client.get(ADD_URL).content.decode()
    assert '<input type="text" name="user"' in html
    assert "alice" not in html
    refused = admin_client.post(ADD_URL, {**SCOPES, "user": name, "name": "x"}).content.decode()
    assert error in refused
    assert f'name="user" value="{name}"' in refused or not name
    assert not APIKey.objects.exists()


def test_only_the_name_and_the_requirement_of_an_end_user_can_be_changed(admin_client, alice, bob):
    key, secret = APIKey.create(user=alice, name="old")
    before = APIKey.objects.values().get()
    form = {"name": "new", "user": "bob", "prefix": "x", "hash": "x", "can_read": "", "revoked_at_0": "2020-01-01"}
    response = admin_client.post(change_url(key), form, follow=True)
    assert secret_in(response.content.decode()) is None
    assert APIKey.objects.values().get() == {**before, "name": "new"}
    assert APIKey.authenticate(secret)


def test_key_can_require_an_end_user(admin_client, alice):
    form = {"user": "alice", "name": "chat", "can_read": "on", "can_write": "on", "end_user_required": "on"}
    admin_client.post(ADD_URL, form)
    key = APIKey.objects.get()
    assert key.end_user_required
    assert 'name="end_user_required"' in admin_client.get(change_url(key)).content.decode()
    admin_client.post(change_url(key), {"name": "chat"})
    key.refresh_from_db()
    assert not key.end_user_required


def test_requirement_of_an_end_user_applies_at_once_in_this_process(admin_client, alice):
    key, secret = APIKey.create(user=alice)
    assert not APIKey.authenticate(secret).end_user_required
    admin_client.post(change_url(key), {"name": "", "end_user_required": "on"})
    assert APIKey.authenticate(secret).end_user_required


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
    assert client.post(ADD_URL, {**SCOPES, "user": "alice"}).status_code == 403
    assert client.get(change_url(key)).status_code == 200


def test_creating_a_key_for_another_user_requires_the_change_user_permission(staff_client, alice):
    client = staff_client("add_apikey", "view_apikey")
    staff = User.objects.get(username="staff")
    assert 'name="user"' not in client.get(ADD_URL).content.decode()
    client.post(ADD_URL, {**SCOPES, "user": "alice", "name": "mine"})
    assert APIKey.objects.get().user == staff
    staff.user_permissions.add(Permission.objects.get(codename="change_user"))
    assert 'name="user"' in client.get(ADD_URL).content.decode()
    client.post(ADD_URL, {**SCOPES, "user": "alice", "name": "hers"})
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


@pytest.mark.parametrize("wrapper", ["{}", " {} ", "Bearer {}"])
def test_search_for_a_secret_opens_the_page_of_its_key(admin_client, alice, wrapper):
    APIKey.create(user=alice, name="other")
    key, secret = APIKey.create(user=alice, name="leaked")
    response = admin_client.get(LIST_URL, {"q": wrapper.format(secret)})
    assert (response.status_code, response["Location"]) == (302, change_url(key))
    followed = admin_client.get(LIST_URL, {"q": wrapper.format(secret)}, follow=True)
    assert secret not in followed.content.decode()


@pytest.mark.parametrize("wrapper", ["{}", " {} ", "{}…"])
def test_search_for_a_prefix_finds_its_key(admin_client, alice, wrapper):
    APIKey.create(user=alice, name="other")
    key, _secret = APIKey.create(user=alice, name="leaked")
    page = admin_client.get(LIST_URL, {"q": wrapper.format(key.prefix)})
    assert [found.name for found in page.context["cl"].result_list] == ["leaked"]


def test_key_is_revoked_from_its_page(admin_client, alice):
    key, secret = APIKey.create(user=alice, name="leaked")
    revoke_url = reverse("admin:conversations_apikey_revoke", args=[key.pk])
    assert revoke_url in admin_client.get(change_url(key)).content.decode()
    assert "This key was never used." in admin_client.get(revoke_url).content.decode()
    assert APIKey.authenticate(secret)
    response = admin_client.post(revoke_url, follow=True)
    assert response.redirect_chain == [(change_url(key), 302)]
    html = response.content.decode()
    assert "Revoked 1 API key." in html
    assert revoke_url not in html
    assert APIKey.authenticate(secret) is None


def test_search_for_an_unknown_secret_finds_nothing(admin_client, alice):
    _, secret = APIKey.create(user=alice)
    wrong = secret[:-1] + ("x" if secret[-1] != "x" else "y")
    response = admin_client.get(LIST_URL, {"q": wrong}, follow=True)
    assert "No API key has this secret." in response.content.decode()
    assert wrong not in response.content.decode()


@pytest.mark.parametrize("model", ["conversation", "deletedconversation", "accessrecord", "savedview"])
def test_secret_in_another_list_is_replaced_by_its_prefix(admin_client, alice, model):
    key, secret = APIKey.create(user=alice)
    url = reverse(f"admin:conversations_{model}_changelist")
    response = admin_client.get(url, {"q": f'"{secret}"'})
    assert (response.status_code, response["Location"]) == (302, f"{url}?q=%22{key.prefix}%22")
    assert not AccessRecord.objects.exists()


def test_rotation_shows_the_new_secret_and_ends_the_old_key_after_the_overlap(admin_client, alice):
    old, old_secret = APIKey.create(user=alice, name="ci", can_write=False)
    assert rotate_url(old) in admin_client.get(change_url(old)).content.decode()
    assert 'value="24"' in admin_client.get(rotate_url(old)).content.decode()
    before = timezone.now()
    response = admin_client.post(rotate_url(old), {"overlap": 2})
    secret = secret_in(response.content.decode())
    new = APIKey.authenticate(secret)
    assert (new.user, new.name, new.can_read, new.can_write) == (alice, "ci", True, False)
    assert_nowhere_but_in(response, secret, admin_client)
    old.refresh_from_db()
    assert timedelta(hours=2) <= old.expires_at - before < timedelta(hours=3)
    assert APIKey.authenticate(old_secret) == old
    assert sorted(LogEntry.objects.values_list("object_id", "change_message")) == [
        (str(old.pk), f"Rotated: replaced by {new}."),
        (str(new.pk), '[{"added": {}}]'),
    ]


@pytest.mark.parametrize("overlap", ["", "-1", "x", "2161"])
def test_rotation_with_an_invalid_overlap_changes_nothing(admin_client, alice, overlap):
    key, _ = APIKey.create(user=alice)
    response = admin_client.post(rotate_url(key), {"overlap": overlap})
    assert "Please correct the error below." in response.content.decode()
    assert APIKey.objects.get().expires_at is None


def test_revoked_key_is_not_rotated(admin_client, alice):
    key, _ = APIKey.create(user=alice)
    key.revoke()
    assert rotate_url(key) not in admin_client.get(change_url(key)).content.decode()
    page = admin_client.post(rotate_url(key), {"overlap": 1}).content.decode()
    assert "A revoked or expired key can&#x27;t be rotated." in page
    assert APIKey.objects.get() == key


def test_rotation_needs_the_permissions_to_create_such_a_key(staff_client, alice):
    client = staff_client("view_apikey", "change_apikey")
    staff = User.objects.get(username="staff")
    own, other = (APIKey.create(user=user)[0] for user in (staff, alice))
    for key in (own, other):
        assert client.post(rotate_url(key), {"overlap": 1}).status_code == 403
        assert rotate_url(key) not in client.get(change_url(key)).content.decode()
    staff.user_permissions.add(Permission.objects.get(codename="add_apikey"))
    assert client.post(rotate_url(own), {"overlap": 1}).status_code == 200
    assert client.post(rotate_url(other), {"overlap": 1}).status_code == 403
    assert APIKey.objects.filter(user=alice).count() == 1
    staff.user_permissions.add(Permission.objects.get(codename="change_user"))
    assert client.post(rotate_url(other), {"overlap": 1}).status_code == 200
    assert client.get(reverse("admin:conversations_apikey_rotate", args=[0])).status_code == 404
