"""Settings of the same project with Django 6's policy, under which scripts and styles need a nonce."""

from django.utils.csp import CSP

from tests.host.settings import *
from tests.host.settings import INSTALLED_APPS, MIDDLEWARE, TEMPLATES

INSTALLED_APPS = ["django.contrib.staticfiles", *INSTALLED_APPS]
MIDDLEWARE = ["django.middleware.csp.ContentSecurityPolicyMiddleware", *MIDDLEWARE]
TEMPLATES[0]["OPTIONS"]["context_processors"].append("django.template.context_processors.csp")
CONVERSATIONS_CONTENT_SECURITY_POLICY = None
SECURE_CSP = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.NONCE],
    "style-src": [CSP.NONCE],
    "img-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "base-uri": [CSP.NONE],
}
