"""Query strings that no page of the admin links to: they are refused, and never run as a filter."""

from urllib.parse import quote_plus

import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.urls import path, reverse

from conversations.admin import ConversationAdmin
from conversations.models import AccessRecord, APIKey, Conversation, DeletedConversation, RetentionRule, SavedView
from conversations.schema.items import validate_items
from conversations.trash import move_to_trash

MODELS = [Conversation, DeletedConversation, APIKey, AccessRecord, SavedView, RetentionRule]

UNKNOWN = ["color=red", "%00=x", "=x", "color__startswith=r", "%ff%fe=1", "__class__=x", "id%00=1"]
HOSTILE_VALUES = ["%00", "%ff'%25(", "9" * 40, "-1", "x" * 5_000]
DJANGO_PARAMETERS = ["q", "o", "p", "all", "_facets", "_popup", "after", "before", "last", "e"]
SUFFIXES = ["", "__startswith", "__a"]


@pytest.fixture
def rows(admin_user, alice) -> dict[type, object]:
    """One row of each model."""
    items = validate_items([{"role": "user", "content": "hello"}])
    conversation, deleted = [
        Conversation.objects.create_with_items(owner=alice, metadata={"topic": "demo"}, items=items) for _ in range(2)
    ]
    move_to_trash(deleted)
    AccessRecord.objects.record(user=alice, action="read", conversation_id=conversation.pk)
    return {
        Conversation: conversation,
        DeletedConversation: DeletedConversation.objects.get(),
        APIKey: APIKey.create(user=alice)[0],
        AccessRecord: AccessRecord.objects.get(),
        SavedView: SavedView.objects.create(owner=admin_user, name="mine"),
        RetentionRule: RetentionRule.objects.create(name="old", days=30),
    }


def changelist_url(model) -> str:
    return reverse(f"admin:conversations_{model._meta.model_name}_changelist")


def field_paths(model) -> list[str]:
    """Every field of the model, and of the models that it refers to, as a lookup path."""
    paths = ["pk"]
    for field in model._meta.get_fields():
        paths.append(field.name)
        if field.is_relation and field.related_model:
            paths += [f"{field.name}__{each.name}" for each in field.related_model._meta.get_fields()]
    return paths


def test_every_model_admin_of_the_app_is_tested():
    assert set(MODELS) == {model for model in admin.site._registry if model._meta.app_label == "conversations"}


@pytest.mark.parametrize("model", MODELS)
def test_lookups_of_fields_without_a_filter_are_refused(admin_client, rows, model):
    filters = {AccessRecord: {"user", "action", "action__exact", "action__isnull", "action__year"}}
    filters[Conversation] = {"owner", "end_user"}
    for field_path in field_paths(model):
        for lookup in [f"{field_path}{suffix}" for suffix in SUFFIXES]:
            status = admin_client.get(changelist_url(model), {lookup: "1"}).status_code
            assert status == 400 or lookup in filters.get(model, ()), lookup


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("action=read", 200),
        ("action__exact=export", 200),
        ("action__isnull=False", 200),
        ("user=alice", 200),
        ("action__gte=r", 200),
        ("action__year=x", 302),
        ("action__startswith=r", 400),
        ("action__exact=%00", 400),
        ("user__username=alice", 400),
        ("username=alice", 400),
        ("user_id=1", 400),
    ],
)
def test_only_lookups_that_a_filter_may_use_are_allowed(admin_client, rows, query, status):
    assert admin_client.get(f"{changelist_url(AccessRecord)}?{query}").status_code == status


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("query", UNKNOWN)
def test_unknown_parameters_are_removed_by_a_redirect(admin_client, rows, model, query):
    response = admin_client.get(f"{changelist_url(model)}?{query}")
    assert (response.status_code, response.url) == (302, f"{changelist_url(model)}?e=1")


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_hostile_values_of_known_parameters_are_no_server_error(admin_client, rows, model):
    names = [*DJANGO_PARAMETERS, "action", "action__exact", "action__isnull", "user", "owner", "created_from", "view"]
    for name in names:
        for value in HOSTILE_VALUES:
            response = admin_client.get(f"{changelist_url(model)}?{name}={value}")
            assert response.status_code in (200, 302, 400), (name, value)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("view_name", ["change", "delete", "history"])
@pytest.mark.parametrize("key", ["\0", "x", "9" * 40, "'\x7f"])
def test_hostile_keys_are_no_server_error(admin_client, rows, model, view_name, key):
    url = reverse(f"admin:conversations_{model._meta.model_name}_{view_name}", args=[quote(key)])
    assert admin_client.get(url).status_code in (302, 403)


@pytest.mark.slow
@pytest.mark.parametrize("view_name", ["change", "export", "delete", "history"])
def test_hostile_parameters_of_a_conversation_page_are_no_server_error(admin_client, rows, view_name):
    url = reverse(f"admin:conversations_conversation_{view_name}", args=[quote(rows[Conversation].pk)])
    filters = ["%3D", "metadata__a=x", "q=%2500", "hash__startswith=a", "after=%2500&owner=%2500"]
    for name in [
        "item",
        "after",
        "before",
        "raw",
        "view",
        "show",
        "shortcuts",
        "_changelist_filters",
        "_to_field",
        "x",
    ]:
        for value in [*HOSTILE_VALUES, *map(quote_plus, filters)]:
            response = admin_client.get(f"{url}?{name}={value}")
            assert response.status_code in (200, 302, 400), (name, value)


@pytest.mark.parametrize("item_id", ["\0", "x" * 500, "'"])
def test_hostile_item_id_is_not_found(admin_client, rows, item_id):
    url = reverse("admin:conversations_conversation_item", args=[quote(rows[Conversation].pk), item_id])
    assert admin_client.get(url).status_code == 404


class ByItemCount(admin.SimpleListFilter):
    title = parameter_name = "item_count"

    def lookups(self, request, model_admin):
        return [("0", "empty")]

    def queryset(self, request, queryset):
        return queryset.filter(item_count=self.value() or 1)


own_site = admin.AdminSite(name="backoffice")
FILTERS = ["owner", ("owner__email", admin.AllValuesFieldListFilter), ByItemCount]
OPTIONS = {"list_filter": FILTERS, "date_hierarchy": "created_at"}
own_site.register(Conversation, type("OwnAdmin", (ConversationAdmin,), OPTIONS))
urlpatterns = [path("desk/", own_site.urls)]


@pytest.mark.urls(__name__)
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("owner__id__exact=1", 200),
        ("owner__isnull=True", 200),
        ("owner__email=a%40example.com", 200),
        ("item_count=0", 200),
        ("created_at__year=2026&created_at__month=1", 200),
        ("owner__id__exact=x", 302),
        ("item_count__gt=0", 400),
        ("owner__password__exact=x", 400),
        ("owner__email__startswith=a", 400),
        ("created_at__second=1", 400),
    ],
)
def test_filters_of_a_subclass_are_allowed(admin_client, rows, query, status):
    assert admin_client.get(f"/desk/conversations/conversation/?{query}").status_code == status
