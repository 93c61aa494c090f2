"""Every transaction names its database: the app's tables may be in another one than the default one."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import conversations

PACKAGE = Path(conversations.__file__).parent
TRANSACTION_FUNCTIONS = {
    "atomic",
    "get_connection",
    "mark_for_rollback_on_error",
    "non_atomic_requests",
    "on_commit",
    "set_rollback",
}
DEFAULT_DATABASE = {"connection", "DEFAULT_DB_ALIAS"}
# A replica is one of the default database, and the setting that names it says so.
ALLOWED = {"checks.py": {"DEFAULT_DB_ALIAS"}, "db/replica.py": {"DEFAULT_DB_ALIAS"}}


def uses_of_default_database(source: str) -> Iterator[str]:
    """Yield imports of names of the default database, and uses of transactions that do not name their database."""
    tree = ast.parse(source)
    named = {
        node.func
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and any(keyword.arg == "using" for keyword in node.keywords)
    }
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module="django.db", names=names):
                yield from (alias.name for alias in names if alias.name in DEFAULT_DATABASE)
            case ast.ImportFrom(module="django.db.transaction", names=names):
                yield from (alias.name for alias in names)
            case ast.Attribute(value=ast.Name(id="transaction"), attr=attr) if attr in TRANSACTION_FUNCTIONS:
                if node not in named:
                    yield ast.unparse(node)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_module_names_the_database_of_each_transaction(path):
    allowed = ALLOWED.get(path.relative_to(PACKAGE).as_posix(), set())
    assert [use for use in uses_of_default_database(path.read_text()) if use not in allowed] == []


@pytest.mark.parametrize(
    "source",
    [
        "with transaction.atomic(): pass",
        "@transaction.atomic\ndef save(): pass",
        "with transaction.atomic(durable=True): pass",
        "transaction.on_commit(send)",
        "method_decorator(transaction.non_atomic_requests)",
        "from django.db import connection",
        "from django.db.transaction import atomic",
    ],
)
def test_each_use_of_the_default_database_is_detected(source):
    assert list(uses_of_default_database(source))


def test_transaction_with_a_database_is_accepted():
    assert list(uses_of_default_database("with transaction.atomic(using='other'): pass")) == []
