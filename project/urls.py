from django.conf import settings
from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.utils.functional import lazy
from django.views.generic import RedirectView

from project.openapi import DescriptionView, documentation_page
from project.sign_in import views

API_PREFIX = settings.API_PREFIX.removeprefix("/")
admin.site.site_url = None  # The site is the admin.
FAVICON = lazy(static, str)("project/favicon.svg")

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("favicon.ico", RedirectView.as_view(url=FAVICON)),  # for pages without a link to it, such as errors
    path("admin/login/", views.login_page),
    path("admin/logout/", views.logout_page),
    path("admin/sign-in/", views.begin, name="sign-in"),
    path("admin/sign-in/callback/", views.callback, name="sign-in-callback"),
    path("admin/", admin.site.urls),
    path(f"{API_PREFIX}/docs", documentation_page, name="docs"),
    path(f"{API_PREFIX}/openapi.json", DescriptionView.as_view(), name="openapi"),
    path(f"{API_PREFIX}/", include("conversations.urls")),
]

handler400 = "project.errors.bad_request"
handler403 = "project.errors.permission_denied"
handler404 = "project.errors.page_not_found"
handler500 = "project.errors.server_error"
