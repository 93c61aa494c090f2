import re

import django
import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.http import HttpResponse
from django.template import Context, Template
from django.urls import path

from conversations.admin import ConversationAdmin
from conversations.models import APIKey, Conversation
from tests.admin_pages import CONTENT_SECURITY_POLICY

HEADER = "Content-Security-Policy"
LIST = "/admin/conversations/conversation/"
NEEDS_DJANGO_6 = pytest.mark.skipif(django.VERSION < (6, 1), reason="Django 5.2 has no policies and nonces")


@pytest.fixture
def in_other_project(settings):
    """Remove the service's own middleware."""
    settings.MIDDLEWARE = [each for each in settings.MIDDLEWARE if not each.startswith("project.")]


@pytest.mark.parametrize(
    "name", sorted(model._meta.model_name for model in admin.site._registry if model._meta.app_label == "conversations")
)
def test_every_changelist_has_the_content_security_policy(admin_client, in_other_project, name):
    assert admin_client.get(f"/admin/conversations/{name}/").headers[HEADER] == CONTENT_SECURITY_POLICY


def test_object_pages_have_the_content_security_policy(admin_client, in_other_project, alice):
    conversation = Conversation.objects.create_with_items(owner=alice)
    key, _secret = APIKey.create(user=alice)
    for row in (f"conversation/{quote(conversation.pk)}", f"apikey/{key.pk}"):
        for page in ("change", "history"):
            response = admin_client.get(f"/admin/conversations/{row}/{page}/")
            assert response.headers[HEADER] == CONTENT_SECURITY_POLICY
    deletion = admin_client.get(f"{LIST}{quote(conversation.pk)}/delete/")
    assert deletion.headers[HEADER] == CONTENT_SECURITY_POLICY
    assert admin_client.get("/admin/conversations/apikey/add/").headers[HEADER] == CONTENT_SECURITY_POLICY


def test_login_redirects_have_the_content_security_policy(client, db, in_other_project):
    assert client.get(LIST).headers[HEADER] == CONTENT_SECURITY_POLICY


def test_admin_pages_of_other_apps_get_no_content_security_policy(admin_client, in_other_project):
    assert HEADER not in admin_client.get("/admin/auth/user/").headers


@pytest.mark.parametrize("url", [LIST, "/admin/auth/user/", "/v1/docs"])
def test_setting_replaces_the_policy_of_every_page_of_the_service(admin_client, settings, url):
    settings.CONVERSATIONS_CONTENT_SECURITY_POLICY = {
        "default-src": ["'self'", "https://cdn.example.com"],
        "img-src": {"data:"},
        "script-src": "'self'",
        "upgrade-insecure-requests": True,
        "block-all-mixed-content": False,
        "style-src": None,
    }
    assert admin_client.get(url).headers[HEADER] == (
        "default-src 'self' https://cdn.example.com; img-src data:; script-src 'self'; upgrade-insecure-requests"
    )


@pytest.mark.parametrize("url", [LIST, "/admin/auth/user/", "/v1/docs"])
def test_none_leaves_the_policy_to_the_project(admin_client, settings, url):
    settings.MIDDLEWARE = [f"{__name__}.middleware", *settings.MIDDLEWARE]
    assert admin_client.get(url).headers[HEADER] == CONTENT_SECURITY_POLICY
    settings.CONVERSATIONS_CONTENT_SECURITY_POLICY = None
    assert admin_client.get(url).headers[HEADER] == "default-src https:"


def middleware(get_response):
    """Add a project's own policy to responses that have none, as Django 6's middleware and django-csp do."""

    def add_header(request):
        response = get_response(request)
        response.headers.setdefault(HEADER, "default-src https:")
        return response

    return add_header


def test_none_sets_no_policy(admin_client, settings):
    settings.CONVERSATIONS_CONTENT_SECURITY_POLICY = None
    assert HEADER not in admin_client.get(LIST).headers


class OwnAdmin(ConversationAdmin):
    def get_urls(self):
        def own(request):
            return HttpResponse("own", headers={HEADER: "default-src 'self'"})

        return [path("own/", own), path("other/", lambda request: HttpResponse("x")), *super().get_urls()]


site = admin.AdminSite(name="backoffice")
site.register(Conversation, OwnAdmin)
urlpatterns = [path("desk/", site.urls)]


@pytest.mark.urls(__name__)
def test_views_of_a_subclass_have_the_policy_unless_they_set_one(admin_client):
    base = "/desk/conversations/conversation/"
    assert admin_client.get(f"{base}other/").headers[HEADER] == CONTENT_SECURITY_POLICY
    assert admin_client.get(f"{base}own/").headers[HEADER] == "default-src 'self'"


@NEEDS_DJANGO_6
def test_policy_and_page_have_the_same_nonce(admin_client, settings, in_other_project):
    from django.utils.csp import CSP

    settings.MIDDLEWARE = ["django.middleware.csp.ContentSecurityPolicyMiddleware", *settings.MIDDLEWARE]
    [template] = settings.TEMPLATES
    processors = [*template["OPTIONS"]["context_processors"], "django.template.context_processors.csp"]
    settings.TEMPLATES = [{**template, "OPTIONS": {**template["OPTIONS"], "context_processors": processors}}]
    settings.CONVERSATIONS_CONTENT_SECURITY_POLICY = {"script-src": [CSP.NONCE]}
    response = admin_client.get(LIST)
    [nonce] = re.findall("^script-src 'nonce-([^']+)'$", response.headers[HEADER])
    scripts = re.findall("<script[^>]*>", response.content.decode())
    assert len(scripts) > 4
    assert [script for script in scripts if f'nonce="{nonce}"' not in script] == []


@NEEDS_DJANGO_6
def test_page_without_a_nonce_has_no_nonce_attribute(admin_client):
    assert "nonce" not in admin_client.get(LIST).content.decode()


def test_nonce_tag_renders_nothing_but_the_media_without_a_nonce():
    media = ConversationAdmin(Conversation, admin.site).media
    template = Template("{% load conversations_csp %}<{% csp_nonce_attr %}>{% csp_nonce_attr media %}")
    assert template.render(Context({"media": media})) == f"<>{media}"
