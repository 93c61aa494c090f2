from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from project.openapi import DescriptionView, documentation_page

API_PREFIX = settings.API_PREFIX.removeprefix("/")

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path(f"{API_PREFIX}/docs", documentation_page, name="docs"),
    path(f"{API_PREFIX}/openapi.json", DescriptionView.as_view(), name="openapi"),
    path(f"{API_PREFIX}/", include("conversations.urls")),
]

handler400 = "project.errors.bad_request"
handler404 = "project.errors.page_not_found"
handler500 = "project.errors.server_error"
