"""Django 6.1's tag `csp_nonce_attr`, for the app's templates. Remove this module with the support of Django 5.2."""

from __future__ import annotations

from django import template
from django.forms import Media
from django.utils.safestring import SafeString

register = template.Library()

try:
    from django.utils.csp import nonce_attr
except ImportError:  # Templates of older admins have no nonces, so a policy that requires them cannot be used there.

    def nonce_attr(context: template.Context, media: Media | None = None) -> SafeString:
        return SafeString("") if media is None else media.__html__()


@register.simple_tag(takes_context=True)
def csp_nonce_attr(context: template.Context, media: Media | None = None) -> SafeString:
    """Render the attribute `nonce` if the context has one, or `media` with the attribute."""
    return nonce_attr(context, media)
