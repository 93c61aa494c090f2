"""Settings of the same project with django-unfold and an admin site of its own."""

from tests.host.settings import *
from tests.host.settings import INSTALLED_APPS

INSTALLED_APPS = ["unfold", "django.contrib.staticfiles", *INSTALLED_APPS]
ROOT_URLCONF = "tests.host.unfold_urls"
CONVERSATIONS_CONTENT_SECURITY_POLICY = None  # Alpine, which django-unfold uses, needs `unsafe-eval`.
