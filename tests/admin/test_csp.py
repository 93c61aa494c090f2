import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.http import HttpResponse
from django.urls import path

from conversations.admin import ConversationAdmin
from conversations.admin.csp import CONTENT_SECURITY_POLICY
from conversations.models import APIKey, Conversation

HEADER = "Content-Security-Policy"


@pytest.mark.parametrize(
    "name", sorted(model._meta.model_name for model in admin.site._registry if model._meta.app_label == "conversations")
)
def test_every_changelist_has_the_content_security_policy(admin_client, name):
    assert admin_client.get(f"/admin/conversations/{name}/").headers[HEADER] == CONTENT_SECURITY_POLICY


def test_object_pages_have_the_content_security_policy(admin_client, alice):
    conversation = Conversation.create_with_items(owner=alice)
    key, _secret = APIKey.create(user=alice)
    for row in (f"conversation/{quote(conversation.pk)}", f"apikey/{key.pk}"):
        for page in ("change", "history"):
            response = admin_client.get(f"/admin/conversations/{row}/{page}/")
            assert response.headers[HEADER] == CONTENT_SECURITY_POLICY
    deletion = admin_client.get(f"/admin/conversations/conversation/{quote(conversation.pk)}/delete/")
    assert deletion.headers[HEADER] == CONTENT_SECURITY_POLICY
    assert admin_client.get("/admin/conversations/apikey/add/").headers[HEADER] == CONTENT_SECURITY_POLICY


def test_login_redirects_have_the_content_security_policy(client, db):
    assert client.get("/admin/conversations/conversation/").headers[HEADER] == CONTENT_SECURITY_POLICY


def test_admin_pages_of_other_apps_get_no_content_security_policy(admin_client, settings):
    settings.MIDDLEWARE = [each for each in settings.MIDDLEWARE if not each.startswith("project.")]
    assert HEADER not in admin_client.get("/admin/auth/user/").headers


class OwnAdmin(ConversationAdmin):
    content_security_policy = "default-src 'self'"

    def get_urls(self):
        def own(request):
            return HttpResponse("own", headers={HEADER: "default-src 'none'"})

        return [path("own/", own), path("other/", lambda request: HttpResponse("x")), *super().get_urls()]


site = admin.AdminSite(name="backoffice")
site.register(Conversation, OwnAdmin)
urlpatterns = [path("desk/", site.urls)]


@pytest.mark.urls(__name__)
def test_subclass_content_security_policy_applies_to_its_custom_pages(admin_client):
    base = "/desk/conversations/conversation/"
    assert admin_client.get(base).headers[HEADER] == "default-src 'self'"
    assert admin_client.get(f"{base}other/").headers[HEADER] == "default-src 'self'"
    assert admin_client.get(f"{base}own/").headers[HEADER] == "default-src 'none'"
