from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path(f"{settings.API_PREFIX.removeprefix('/')}/", include("conversations.urls")),
]

handler400 = "project.errors.bad_request"
handler404 = "project.errors.page_not_found"
handler500 = "project.errors.server_error"
