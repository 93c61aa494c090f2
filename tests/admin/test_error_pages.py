import re

import pytest
from django.contrib.auth.models import User
from django.template.loader import render_to_string
from django.test import Client
from django.utils import translation


def test_unknown_url_shows_the_404_page(client, db):
    response = client.get("/nowhere", headers={"accept": "text/html"})
    assert response.status_code == 404
    html = response.content.decode()
    assert "There is no page at this URL." in html
    assert "admin/css/base.css" in html


@pytest.mark.parametrize(("name", "text"), [("500.html", "Something went wrong"), ("503.html", "try again later")])
def test_pages_of_server_errors_have_the_look_of_the_admin_and_need_no_database(name, text):
    html = render_to_string(name)  # Without the mark for it, a test that uses the database fails.
    assert text in html
    assert "admin/css/base.css" in html
    assert '<a href="/admin/">Back to the first page</a>' in html


def test_missing_permission_is_shown_in_the_look_of_the_admin(client, db):
    client.force_login(User.objects.create_user("ann", is_staff=True))
    response = client.get("/admin/conversations/apikey/")
    assert response.status_code == 403
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    html = response.content.decode()
    assert "<h1>Permission denied</h1>" in html
    assert "The user “ann” may not open this page" in html
    assert 'id="logout-form"' in html
    assert "admin/css/base.css" in html


def test_refused_form_is_explained_in_the_look_of_the_admin(admin_user):
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    response = client.post("/admin/conversations/apikey/add/", {"name": "x"})
    assert response.status_code == 403
    html = response.content.decode()
    assert "<h1>The form was not accepted</h1>" in html
    assert "admin/css/base.css" in html


def test_login_page_names_the_instance(client, db, settings):
    settings.ALLOWED_HOSTS = ["staging.example.com"]
    html = client.get("/admin/login/", headers={"host": "staging.example.com"}).content.decode()
    assert "Log in to <bdi>staging.example.com</bdi>" in html


@pytest.mark.parametrize("path", ["/admin/login/", "/admin/", "/admin/conversations/conversation/"])
def test_pages_have_a_favicon(client, admin_client, path):
    html = (client if "login" in path else admin_client).get(path).content.decode()
    [url] = re.findall(r'<link rel="icon" href="([^"]+)"', html)
    response = client.get("/favicon.ico")
    assert (response.status_code, response["Location"]) == (302, url)


def test_admin_header_shows_the_name_of_the_service(admin_client):
    html = admin_client.get("/admin/").content.decode()
    assert '<div id="site-name"><a href="/admin/">Conversations</a></div>' in html
    assert "Django" not in html


@pytest.mark.parametrize(
    ("language", "direction", "text"),
    [("de-AT", "ltr", "Unter dieser URL gibt es keine Seite."), ("ar", "rtl", "لا توجد صفحة على عنوان URL هذا.")],
)
def test_error_pages_are_in_the_language_of_the_browser(client, db, language, direction, text):
    with translation.override(None):  # Django leaves the language of a request active in its thread.
        html = client.get("/nowhere", headers={"accept": "text/html", "accept-language": language}).content.decode()
    assert f'<html lang="{language[:2]}" dir="{direction}">' in html
    assert text in html


def test_error_pages_are_in_english_for_browsers_in_other_languages(client, db):
    with translation.override(None):
        html = client.get("/nowhere", headers={"accept": "text/html", "accept-language": "fi"}).content.decode()
    assert '<html lang="en" dir="ltr">' in html
    assert "There is no page at this URL." in html
