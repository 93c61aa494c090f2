import pytest
from django.template.loader import render_to_string
from django.utils import translation


def test_unknown_url_shows_the_404_page(client, db):
    response = client.get("/nowhere", headers={"accept": "text/html"})
    assert response.status_code == 404
    assert "There is no page at this URL." in response.content.decode()


def test_error_500_template_renders_without_context():
    assert "Something went wrong" in render_to_string("500.html")


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
