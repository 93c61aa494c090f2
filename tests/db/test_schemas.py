import sys
from types import ModuleType, SimpleNamespace

from django.db import connections

from conversations.db.aliases import database_key


def test_without_tenants_a_database_is_known_by_its_alias():
    assert database_key("default") == ("default", "")


def test_the_schema_that_the_connection_names_is_part_of_the_key(monkeypatch):
    monkeypatch.setattr(connections["default"], "schema_name", "acme", raising=False)
    assert database_key("default") == ("default", "acme")


def test_the_current_schema_of_django_pgschemas_is_part_of_the_key(monkeypatch):
    module = ModuleType("django_pgschemas.schema")
    module.get_current_schema = lambda: SimpleNamespace(schema_name="acme")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert database_key("default") == ("default", "acme")
