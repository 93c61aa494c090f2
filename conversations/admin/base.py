"""Base classes of the app's model admins and of the views that they add to Django's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import get_fields_from_path, quote, unquote
from django.contrib.admin.views.main import ChangeList
from django.contrib.admin.widgets import url_params_from_lookup_dict
from django.core.exceptions import FieldDoesNotExist
from django.db import connections, transaction
from django.db.models.constants import LOOKUP_SEP
from django.db.models.options import Options
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.views import View

from conversations.admin.csp import add_policy
from conversations.admin.filters import FormFilter
from conversations.api_key_secrets import scrub_secrets
from conversations.schema.json_limits import UNSTORABLE_CHARACTER

EMPTY = "\N{EN DASH}"  # shown in place of a missing value

# Lookups that Django's list filters and date hierarchies put into a URL.
FILTER_LOOKUPS = {"exact", "isnull", "isempty", "gte", "lt", "year", "month", "day"}

CHECKBOX_LABEL = "Select this object for an action - {}"  # Django's own text, which its catalogues translate


class AppChangeList(ChangeList):
    """Change list that offers no actions without rows."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.show_admin_actions = bool(self.result_list)


class AppModelAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Model admin with a Content-Security-Policy, without secrets, and with an allow-list of filters of its list."""

    empty_value_display = EMPTY
    unscrubbed_fields: ClassVar[tuple[str, ...]] = ()  # of forms, which may have the secret of an API key

    @property
    def media(self) -> forms.Media:
        return super().media + forms.Media(js=["conversations/submit_once.js"])

    @property
    def urls(self) -> list[URLPattern]:
        patterns = self.get_urls()
        for pattern in patterns:
            if isinstance(pattern, URLPattern):  # a subclass may add an include()
                pattern.callback = self._without_secrets(self._with_policy(pattern.callback))
        return patterns

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return AppChangeList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list under the plural name of its model instead of "Select … to change".

        An action without rows gets a message that says what to do. Django's is about "items".
        """
        is_action = request.method == "POST" and "index" in request.POST
        if is_action and not request.POST.getlist(ACTION_CHECKBOX_NAME) and self.has_view_or_change_permission(request):
            text = gettext("Select at least one row, then start the action again. Nothing was changed.")
            self.message_user(request, text, messages.WARNING)
            return HttpResponseRedirect(request.get_full_path())
        title = capfirst(self.opts.verbose_name_plural)
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Return the row, or None if there is none or if no row could have this key: PostgreSQL refuses such a text."""
        if UNSTORABLE_CHARACTER.search(object_id):
            return None
        return super().get_object(request, object_id, from_field)

    def action_checkbox(self, obj: Any) -> SafeString:
        """Return the same HTML as Django, without the template of a widget: it takes as long as half of the row."""
        label = format_html(gettext(CHECKBOX_LABEL), obj)
        return format_html(
            '<input type="checkbox" name="{}" value="{}" class="action-select" aria-label="{}">',
            *(ACTION_CHECKBOX_NAME, obj.pk, label),
        )

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Whether the URL of the list may filter by this parameter: only if a filter of the list defines it.

        Django allows any lookup of the model's own fields, which would let staff probe an API key's hash by prefix,
        and lookups that fail in the database. A name that is no field is allowed here: a filter may define it, or
        else the list redirects to itself without any parameters.
        """
        if not super().lookup_allowed(lookup, value, request):
            return False
        if not self._names_field(lookup) or self._is_limit_of_foreign_key(lookup, value):
            return True
        list_filter: Any = self.get_list_filter(request)
        return any(_is_parameter_of(each, lookup, value, self.opts) for each in (*list_filter, self.date_hierarchy))

    def route(self, url: str, view: type[ModelAdminView], *, name: str) -> URLPattern:
        """Return the URL pattern of a view of this model admin. Like Django's own views, it is for staff only."""
        return path(url, self.admin_site.admin_view(view.as_view(model_admin=self)), name=f"conversations_{name}")

    def _names_field(self, lookup: str) -> bool:
        name = lookup.split(LOOKUP_SEP)[0]
        try:
            self.opts.get_field(name)
        except FieldDoesNotExist:
            return name == "pk"
        return True

    def _is_limit_of_foreign_key(self, lookup: str, value: str) -> bool:
        """Whether it is `limit_choices_to` of a foreign key to this model, which the key's pop-up list filters by."""
        limits = (each() if callable(each) else each for each in self.opts.related_fkey_lookups)
        return any((lookup, value) in url_params_from_lookup_dict(limit).items() for limit in limits)

    def response_to_secret(self, request: HttpRequest, url: str) -> HttpResponse:
        """Return the response to a request whose URL has the secret of an API key. `url` has its prefix instead."""
        return HttpResponseRedirect(url)

    def _without_secrets(self, view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        """Keep the secrets of API keys out of a view, because pages record and store what was typed, and link to it.

        Redirect from a URL with a secret, as a search for one has, to the same with its prefix, and replace secrets in
        forms likewise, except in `unscrubbed_fields`.
        """

        @wraps(view)
        def without_secrets(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            query = request.META.get("QUERY_STRING", "")
            if query != (scrubbed := scrub_secrets(query, mark="")):
                if request.method in ("GET", "HEAD"):
                    return self.response_to_secret(request, f"{request.path}?{scrubbed}")
                request.META["QUERY_STRING"], request.GET = scrubbed, QueryDict(scrubbed)
            form = request.POST.copy()
            for name, values in request.POST.lists():
                if name not in self.unscrubbed_fields:
                    form.setlist(name, [scrub_secrets(value, mark="") for value in values])
            if form != request.POST:
                request.POST = form  # type: ignore[assignment]
            return view(request, *args, **kwargs)

        return without_secrets

    def _with_policy(self, view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        """Add the policy to the responses of a view, unless the view has set one."""

        @wraps(view)
        def with_policy(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            response = view(request, *args, **kwargs)
            add_policy(request, response)
            return response

        return with_policy


def non_atomic(view: Callable[..., Any]) -> Callable[..., Any]:
    """Exempt the view from `ATOMIC_REQUESTS` of every database: routers may put the app into any of them."""
    for alias in connections:
        view = transaction.non_atomic_requests(using=alias)(view)
    return view


class ModelAdminView(View):
    """A page or an action that a model admin adds to Django's own. It checks its permissions itself."""

    model_admin: Any = None  # given to as_view()
    http_method_names = ["get", "head", "post"]

    def get_row(self, object_id: str) -> Any:
        """Return the row that the URL names, or raise `Http404`."""
        row = self.model_admin.get_object(self.request, unquote(object_id))
        if row is None:
            raise Http404
        return row

    def render(self, template: str, context: dict[str, Any]) -> HttpResponse:
        """Render a page of the admin site, given what it has beside the site's own context."""
        request: HttpRequest = self.request
        request.current_app = self.model_admin.admin_site.name
        site_context = self.model_admin.admin_site.each_context(request)
        return TemplateResponse(
            request,
            template,
            {**site_context, "opts": self.model_admin.opts, "media": self.model_admin.media, **context},
        )


def page_url(model_admin: Any, key: Any) -> str:
    """Return the URL of the page of a row."""
    name = f"admin:conversations_{model_admin.opts.model_name}_change"
    return reverse(name, args=[quote(key)], current_app=model_admin.admin_site.name)


def _is_parameter_of(list_filter: Any, lookup: str, value: str, opts: Options[Any]) -> bool:
    """Whether an entry of `list_filter`, or a date hierarchy, filters by this parameter of the URL."""
    if isinstance(list_filter, type):
        if issubclass(list_filter, FormFilter):
            return lookup in list_filter.form_class.base_fields
        return bool(lookup == getattr(list_filter, "parameter_name", None))
    path = list_filter[0] if isinstance(list_filter, list | tuple) else list_filter
    if path is None or UNSTORABLE_CHARACTER.search(value):
        return False
    field: Any = get_fields_from_path(opts.model, path)[-1]
    paths = [path, f"{path}{LOOKUP_SEP}{field.target_field.name}"] if field.is_relation else [path]
    *parents, last = lookup.split(LOOKUP_SEP)
    return lookup == path or (LOOKUP_SEP.join(parents) in paths and last in FILTER_LOOKUPS)
