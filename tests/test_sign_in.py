"""Staff sign-in by an identity provider, whose tokens have real signatures."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from axes.models import AccessAttempt
from django.contrib.auth import authenticate
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.test import Client, RequestFactory
from django.urls import reverse

from project.models import Identity
from tests.identity_provider import IdentityProvider, running_provider

LOGIN, INDEX = reverse("admin:login"), reverse("admin:index")
GROUPS = {"support": "Conversation readers", "leads": "Conversation operators", "platform": "superuser"}
ANN = {"sub": "248289761001", "preferred_username": "ann", "groups": ["support", "everybody"]}
PROVIDER_BACKEND = "project.sign_in.accounts.ProviderBackend"


@pytest.fixture
def provider(db, settings) -> Iterator[IdentityProvider]:
    call_command("create_conversation_groups", verbosity=0)
    with running_provider() as provider:
        for name, value in provider.settings.items():
            setattr(settings, name, value)
        settings.OIDC_GROUPS = GROUPS
        settings.AUTHENTICATION_BACKENDS = [*settings.AUTHENTICATION_BACKENDS, PROVIDER_BACKEND]
        provider.claims = dict(ANN)
        yield provider


def sign_in(client: Client, url: str | None = None) -> Any:
    """Follow the redirects to the provider and back, as a browser does, and return the callback's response."""
    to_provider = client.get(url or reverse("sign-in"))
    assert to_provider.status_code == 302
    back = requests.get(to_provider.headers["Location"], allow_redirects=False, timeout=60)
    return client.get(back.headers["Location"])


def refusal(response: Any) -> str:
    """Return the text of the page that refuses a sign-in."""
    assert response.status_code in (403, 503)
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    [text] = [line for line in response.content.decode().splitlines() if line.startswith("<p>") and "href" not in line]
    return text.removeprefix("<p>").removesuffix("</p>").replace("&#x27;", "'")


def test_sign_in_creates_a_member_of_staff_and_leads_to_the_wanted_page(provider):
    client = Client()
    page = client.get(f"{LOGIN}?next=/admin/conversations/conversation/")
    [link] = re.findall(r'href="(/admin/sign-in/[^"]*)"', page.content.decode())
    response = sign_in(client, link)
    assert (response.status_code, response.headers["Location"]) == (302, "/admin/conversations/conversation/")
    assert client.get(response.headers["Location"]).status_code == 200
    user = User.objects.get()
    assert (user.username, user.is_staff, user.is_superuser, user.has_usable_password()) == ("ann", True, False, False)
    assert [group.name for group in user.groups.all()] == ["Conversation readers"]


def test_session_of_a_sign_in_ends_after_a_working_day(provider):
    client = Client()
    sign_in(client)
    assert client.session.get_expiry_age() <= 12 * 60 * 60


@pytest.mark.parametrize("url", ["https://evil.example.com/", "//evil.example.com/", "javascript:alert(1)"])
def test_sign_in_leads_to_no_other_site(provider, url):
    assert sign_in(Client(), f"{reverse('sign-in')}?next={url}").headers["Location"] == INDEX


def test_second_sign_in_is_the_same_user_after_the_person_was_renamed(provider):
    sign_in(Client())
    provider.claims |= {"preferred_username": "ann.smith", "email": "ann@example.com", "family_name": "Smith"}
    sign_in(Client())
    user = User.objects.get()
    assert (user.username, user.email, user.last_name) == ("ann", "ann@example.com", "Smith")
    assert Identity.objects.get().subject == ANN["sub"]


def test_subjects_are_compared_exactly(provider):
    provider.claims["sub"] = "Abc"
    sign_in(Client())
    provider.claims |= {"sub": "aBC", "preferred_username": "bob"}
    sign_in(Client())
    assert set(Identity.objects.values_list("subject", "user__username")) == {("Abc", "ann"), ("aBC", "bob")}


def test_each_sign_in_gives_and_takes_rights_by_the_groups(provider):
    own = Group.objects.create(name="own")
    sign_in(Client())
    User.objects.get().groups.add(own)
    for groups, names, is_superuser in (
        (["leads"], {"Conversation operators", "own"}, False),
        (["platform"], {"own"}, True),
        (["support", "leads"], {"Conversation readers", "Conversation operators", "own"}, False),
        ("support", {"Conversation readers", "own"}, False),
    ):
        provider.claims["groups"] = groups
        assert sign_in(Client()).status_code == 302
        user = User.objects.get()
        assert ({group.name for group in user.groups.all()}, user.is_superuser) == (names, is_superuser)


@pytest.mark.parametrize("groups", [["everybody"], [], None, 7, [7, None]])
def test_person_without_a_wanted_group_is_refused_and_creates_no_user(provider, groups):
    provider.claims["groups"] = groups
    client = Client()
    assert "is in none of the groups that may use this site" in refusal(sign_in(client))
    assert not User.objects.exists()
    assert client.get(INDEX).status_code == 302


def test_person_who_lost_the_groups_loses_staff_status_and_open_sessions(provider):
    provider.claims["groups"] = ["platform", "support"]
    client = Client()
    sign_in(client)
    assert client.get(INDEX).status_code == 200
    provider.claims["groups"] = []
    assert "none of the groups" in refusal(sign_in(Client()))
    user = User.objects.get()
    assert (user.is_staff, user.is_superuser, user.groups.count()) == (False, False, 0)
    assert client.get(INDEX).status_code == 302


def test_inactive_user_is_refused(provider):
    sign_in(Client())
    User.objects.update(is_active=False)
    assert "not active" in refusal(sign_in(Client()))


def test_missing_group_of_a_mapping_is_logged(provider, settings, caplog):
    settings.OIDC_GROUPS = {"support": "Conversation raeders"}
    sign_in(Client())
    assert "OIDC_GROUPS names groups that do not exist: Conversation raeders" in caplog.text


def test_user_of_the_same_name_is_connected_only_if_the_settings_say_so(provider, settings):
    owner = User.objects.create_superuser("ann", password="right")
    assert "Another user of this site has the name" in refusal(sign_in(Client()))
    assert User.objects.get().is_superuser
    settings.OIDC_CONNECT_EXISTING_USERS = True
    assert sign_in(Client()).status_code == 302
    user = User.objects.get()
    assert (user.pk, user.is_superuser) == (owner.pk, False)
    provider.claims["sub"] = "another person"
    assert "Another user of this site has the name" in refusal(sign_in(Client()))
    assert Identity.objects.get().subject == ANN["sub"]


@pytest.mark.parametrize("name", [None, "", " ", "a" * 151, "a\x00b", ["ann"]])
def test_account_without_a_usable_name_is_refused(provider, name):
    provider.claims["preferred_username"] = name
    assert "no name that this site can use" in refusal(sign_in(Client()))
    assert not User.objects.exists()


def test_personal_data_of_any_length_are_cut(provider):
    provider.claims |= {"given_name": "a\x00" + "b" * 200, "family_name": 7, "email": "c" * 300}
    assert sign_in(Client()).status_code == 302
    user = User.objects.get()
    assert (user.first_name, user.last_name, user.email) == ("a" + "b" * 149, "", "c" * 254)


def test_claims_that_the_token_lacks_come_from_the_userinfo_endpoint(provider):
    provider.userinfo = {"preferred_username": provider.claims.pop("preferred_username"), "groups": ["leads"]}
    assert sign_in(Client()).status_code == 302
    assert User.objects.get().groups.get().name == "Conversation readers"  # The token, which is signed, wins.
    provider.userinfo["sub"] = "someone else"
    assert "not valid" in refusal(sign_in(Client()))


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.example.com"},
        {"iss": None},
        {"aud": "another client"},
        {"aud": ["another client"]},
        {"aud": "another client", "azp": "conversations"},
        {"azp": "another client"},
        {"nonce": "another nonce"},
        {"nonce": None},
        {"exp": 1_600_000_000},
        {"exp": None},
        {"iat": None},
        {"nbf": 4_000_000_000},
        {"sub": None},
        {"sub": ""},
        {"at_hash": "another"},
    ],
    ids=str,
)
def test_token_with_a_wrong_claim_is_refused(provider, changes, caplog):
    def alter(claims: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in {**claims, **changes}.items() if value is not None}

    sign_in(Client())
    User.objects.all().delete()
    provider.alter = alter
    client = Client()
    assert "not valid or too old" in refusal(sign_in(client))
    assert "Refused a sign-in" in caplog.text
    assert not User.objects.exists()
    assert client.get(INDEX).status_code == 302


@pytest.mark.parametrize("way", ["leave_unsigned", "sign_with_secret", "sign_with_foreign_key"])
def test_token_that_the_provider_has_not_signed_is_refused(provider, way):
    provider.sign = getattr(provider, way)
    assert "not valid" in refusal(sign_in(Client()))
    assert not User.objects.exists()


@pytest.mark.parametrize("token", ["", "a.b.c", "no token", None, 7])
def test_malformed_token_is_refused(provider, token):
    provider.sign = lambda claims: token
    assert "not valid" in refusal(sign_in(Client()))


def test_rotated_keys_are_loaded_and_old_ones_no_longer_accepted(provider):
    sign_in(Client())
    old = provider.keys[0]
    provider.rotate_keys()
    assert sign_in(Client()).status_code == 302
    provider.sign = lambda claims: provider.sign_with_key(claims, old)
    assert "not valid" in refusal(sign_in(Client()))


def test_keys_are_loaded_once_while_they_are_valid(provider):
    for _ in range(3):
        sign_in(Client())
    assert provider.requests.count("/keys") == provider.requests.count("/.well-known/openid-configuration") == 1


def test_answer_to_another_browser_or_a_repeated_one_is_refused(provider):
    client = Client()
    to_provider = client.get(reverse("sign-in"))
    url = requests.get(to_provider.headers["Location"], allow_redirects=False, timeout=60).headers["Location"]
    assert "not complete" in refusal(Client().get(url))
    assert client.get(url).status_code == 302
    assert "not complete" in refusal(client.get(url))
    for query in ("", "?code=x", "?state=x", "?error=access_denied&state=x"):
        assert "not complete" in refusal(Client().get(reverse("sign-in-callback") + query))


@pytest.mark.parametrize("path", ["/token", "/keys", "/.well-known/openid-configuration"])
@pytest.mark.parametrize("answer", [(500, {}), (200, []), (200, {}), (200, "text")], ids=str)
def test_provider_with_a_fault_refuses_the_sign_in_and_recovers(provider, path, answer):
    provider.answers[path] = answer
    client = Client()
    if path.startswith("/.well-known"):
        assert "can't be reached" in refusal(client.get(reverse("sign-in")))
    else:
        assert "not valid" in refusal(sign_in(client))
    provider.answers.clear()
    assert sign_in(client).status_code == 302


def test_unreachable_provider_is_named_on_the_page(provider, settings):
    settings.OIDC_ISSUER = "http://127.0.0.1:9"
    response = Client().get(reverse("sign-in"))
    assert response.status_code == 503
    assert "can't be reached" in refusal(response)


def test_no_secret_of_a_sign_in_is_logged(provider, caplog):
    caplog.set_level("DEBUG")
    sign_in(Client())
    provider.alter = lambda claims: {**claims, "aud": "other"}
    sign_in(Client())
    assert "planted-client-secret" not in caplog.text
    assert ANN["preferred_username"] not in [record.getMessage() for record in caplog.records]


def test_lockout_of_a_password_does_not_concern_the_sign_in(provider):
    User.objects.create_superuser("ann", password="right")
    for _ in range(6):
        Client().post(LOGIN, {"username": "ann", "password": "wrong"})
    assert Client().post(LOGIN, {"username": "ann", "password": "right"}).status_code == 429
    provider.claims["preferred_username"] = "ann2"
    assert sign_in(Client()).status_code == 302
    AccessAttempt.objects.all().delete()
    provider.claims |= {"sub": "other", "groups": []}
    for _ in range(6):
        sign_in(Client())
    assert not AccessAttempt.objects.exists()
    assert Client().post(LOGIN, {"username": "ann", "password": "right"}).status_code == 302


@pytest.fixture
def without_passwords(provider, settings) -> None:
    settings.PASSWORD_LOGIN = False
    settings.AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", PROVIDER_BACKEND]


@pytest.mark.usefixtures("without_passwords")
def test_switched_off_passwords_are_refused_by_page_and_backend():
    User.objects.create_superuser("admin", password="right")
    page = Client().get(LOGIN).content.decode()
    assert "/admin/sign-in/" in page
    assert "password" not in page
    assert "<form" not in page.split('id="content"')[1]
    client = Client()
    response = client.post(LOGIN, {"username": "admin", "password": "right", "next": INDEX})
    assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD")
    assert not authenticate(RequestFactory().get("/"), username="admin", password="right")
    assert client.get(INDEX).status_code == 302


def test_sessions_of_passwords_end_when_passwords_are_switched_off(provider, settings):
    User.objects.create_superuser("admin", password="right")
    client = Client()
    client.post(LOGIN, {"username": "admin", "password": "right"})
    assert client.get(INDEX).status_code == 200
    settings.AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", PROVIDER_BACKEND]
    assert client.get(INDEX).status_code == 302


@pytest.mark.usefixtures("without_passwords")
def test_rights_of_groups_hold_without_passwords():
    client = Client()
    sign_in(client)
    assert client.get("/admin/conversations/conversation/").status_code == 200
    assert client.get("/admin/conversations/apikey/").status_code == 403


def test_sign_out_ends_the_session_and_links_to_the_providers(provider):
    client = Client()
    sign_in(client)
    page = client.post(reverse("admin:logout"))
    assert f'href="{provider.issuer}/logout?client_id=conversations"' in page.content.decode()
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert client.get(INDEX).status_code == 302


def test_sign_out_of_a_password_or_with_an_unreachable_provider_has_no_such_link(provider, settings):
    client = Client()
    client.force_login(User.objects.create_superuser("admin"), backend="django.contrib.auth.backends.ModelBackend")
    assert "/logout?" not in client.post(reverse("admin:logout")).content.decode()
    sign_in(client)
    settings.OIDC_ISSUER = "http://127.0.0.1:9"
    page = client.post(reverse("admin:logout"))
    assert page.status_code == 200
    assert "/logout?" not in page.content.decode()
    assert client.get(INDEX).status_code == 302


def test_service_without_a_provider_has_no_sign_in(db):
    assert Client().get(reverse("sign-in")).status_code == 404
    assert Client().get(reverse("sign-in-callback")).status_code == 404
    page = Client().get(LOGIN).content.decode()
    assert "/admin/sign-in/" not in page
    assert 'name="password"' in page
