from django.contrib import admin
from django.urls import path
from unfold.sites import UnfoldAdminSite

site = UnfoldAdminSite(name="host")
admin.autodiscover()
for model, model_admin in admin.site._registry.items():
    if model._meta.app_label == "conversations":
        site.register(model, type(model_admin))

urlpatterns = [path("staff/", site.urls)]
