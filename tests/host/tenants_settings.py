"""Settings of a project with django-tenants: each tenant has its users and conversations in its own schema."""

from tests.host.settings import *
from tests.host.settings import DATABASES, MIDDLEWARE

ALLOWED_HOSTS = [".example.com"]
AUTH_USER_MODEL = "auth.User"
DATABASES = {
    "default": {
        **DATABASES["default"],
        "ENGINE": "django_tenants.postgresql_backend",
        "ATOMIC_REQUESTS": False,  # With the transaction of a refused request, the driver forgets prepared statements.
        "OPTIONS": {"prepare_threshold": 0},
    }
}
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
TENANT_MODEL = "tenants.Tenant"
TENANT_DOMAIN_MODEL = "tenants.Domain"
SHARED_APPS = ["django_tenants", "tests.host.tenants"]
TENANT_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "conversations",
]
INSTALLED_APPS = [*SHARED_APPS, *TENANT_APPS]
MIDDLEWARE = ["django_tenants.middleware.main.TenantMainMiddleware", *MIDDLEWARE]
