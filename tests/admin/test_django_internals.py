"""Internals of Django's admin that `conversations.admin` relies on.

Django may change them in any release. Such a release fails here first, in a test that names what has changed.
"""

import pytest
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import get_fields_from_path
from django.contrib.admin.views.main import ALL_VAR, ChangeList
from django.contrib.admin.widgets import url_params_from_lookup_dict
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User

from conversations.models import Conversation


class RecordingChangeList(ChangeList):
    def get_queryset(self, request, exclude_parameters=None):
        self.parameters_before = dict(self.params), dict(self.filter_params)
        self.steps = ["queryset"]
        return super().get_queryset(request, exclude_parameters)

    def get_results(self, request):
        self.steps.append("results")
        super().get_results(request)


class RecordingAdmin(UserAdmin):
    def get_changelist(self, request, **kwargs):
        return RecordingChangeList


@pytest.fixture
def change_list(rf, admin_user):
    """Return a function that makes a change list of users for these parameters of the URL."""

    def change_list(**parameters):
        request = rf.get("/", parameters)
        request.user = admin_user
        return RecordingAdmin(User, admin.site).get_changelist_instance(request)

    return change_list


def test_change_list_reads_its_parameters_before_the_queryset_and_the_rows_after_it(change_list):
    users = change_list(is_staff__exact="1", q="adm", **{ALL_VAR: ""})
    params, filter_params = users.parameters_before
    assert params == {"is_staff__exact": "1", "q": "adm", ALL_VAR: ""}
    assert filter_params == {"is_staff__exact": ["1"], "q": ["adm"], ALL_VAR: [""]}
    assert users.steps == ["queryset", "results"]
    assert users.get_filters_params() == {"is_staff__exact": ["1"]}
    assert users.has_active_filters
    assert [user.username for user in users.queryset] == ["admin"]


def test_change_list_keeps_other_parameters_in_its_urls(change_list):
    users = change_list(is_staff__exact="1")
    assert users.get_query_string({"o": "2"}) == "?is_staff__exact=1&o=2"
    assert users.get_query_string(remove=["is_staff"]) == "?"


def test_change_list_knows_the_columns_that_it_is_ordered_by(change_list):
    assert change_list(o="-2").get_ordering_field_columns() == {2: "desc"}
    assert change_list().get_ordering_field_columns() == {1: "asc"}


def test_wrong_lookup_raises_an_error_of_its_own(change_list):
    with pytest.raises(IncorrectLookupParameters):
        change_list(is_staff__exact="neither")


def test_unknown_object_is_answered_by_a_redirect_with_a_message(rf, admin_user, monkeypatch):
    messages = []
    model_admin = UserAdmin(User, admin.site)
    monkeypatch.setattr(model_admin, "message_user", lambda request, message, level: messages.append(message))
    response = model_admin._get_obj_does_not_exist_redirect(rf.get("/"), User._meta, "7")
    assert (response.status_code, response.url) == (302, "/admin/")
    assert "7" in messages[0]


def test_foreign_keys_limit_the_choices_of_their_pop_up_list():
    assert url_params_from_lookup_dict({"is_staff": True, "pk__in": [1, 2]}) == {"is_staff": "1", "pk__in": "1,2"}
    assert isinstance(User._meta.related_fkey_lookups, list)


def test_path_of_a_filter_leads_to_its_fields():
    owner, username = get_fields_from_path(Conversation, "owner__username")
    assert (owner.name, username.name) == ("owner", "username")
