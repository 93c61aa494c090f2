from django.contrib import admin
from django.urls import include, path, re_path

urlpatterns = [
    path("staff/", admin.site.urls),
    path("ai/openai/v1/", include("conversations.urls")),
    path("tenants/<slug:tenant>/v1/", include("conversations.urls", namespace="tenants")),
    re_path(r"^numbers/(\d+)/v1/", include("conversations.urls", namespace="numbers")),
]
