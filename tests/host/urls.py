from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("staff/", admin.site.urls),
    path("ai/openai/v1/", include("conversations.urls")),
]
