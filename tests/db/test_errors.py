import pytest
from django.db import DatabaseError, connection, transaction

from conversations.db.errors import CONFLICT, STATEMENT_TIMEOUT, UNAVAILABLE, is_conflict, is_temporary


@pytest.mark.skipif(connection.vendor == "sqlite", reason="there is no server to be reached")
def test_unreachable_server_is_a_temporary_error_but_not_a_conflict(db):
    unreachable = connection.copy(alias="unreachable")
    unreachable.settings_dict.update(HOST="127.0.0.1", PORT="1")
    with pytest.raises(DatabaseError) as raised:
        unreachable.ensure_connection()
    assert is_temporary(raised.value)
    assert not is_conflict(raised.value)


def test_invalid_statement_is_not_a_temporary_error(db):
    with pytest.raises(DatabaseError) as raised, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT one FROM nowhere")
    assert not is_temporary(raised.value)


def test_each_error_code_belongs_to_one_class():
    assert len(CONFLICT | STATEMENT_TIMEOUT | UNAVAILABLE) == len(CONFLICT) + len(STATEMENT_TIMEOUT) + len(UNAVAILABLE)


def test_error_from_outside_the_database_is_not_a_temporary_error():
    assert not is_temporary(OSError(2002, "refused"))
