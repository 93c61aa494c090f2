"""Settings of the same project with a description of its APIs by drf-spectacular."""

import os

from tests.host.settings import *
from tests.host.settings import INSTALLED_APPS, MIDDLEWARE

INSTALLED_APPS = [*INSTALLED_APPS, "drf_spectacular", "tests.host.tickets"]
ROOT_URLCONF = "tests.host.tickets.urls"
REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}
SPECTACULAR_SETTINGS = {"OAS_VERSION": os.environ["OAS_VERSION"], "TITLE": "Tickets", "VERSION": "1"}

# Django's own checks for a deployment need these.
SECRET_KEY = "kaep2Bieko0aeThah6Ohv8yeech9aiNg8phoh4eiShu9Eequ5eech4Ab"
SECURE_HSTS_SECONDS = 3600
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    *MIDDLEWARE,
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
