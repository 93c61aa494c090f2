import pytest
from django.db import DatabaseError, connection, transaction

from conversations.db.errors import is_conflict, is_temporary


@pytest.mark.skipif(connection.vendor == "sqlite", reason="there is no server to be reached")
def test_a_server_that_does_not_answer_is_temporary_and_no_conflict(db):
    unreachable = connection.copy(alias="unreachable")
    unreachable.settings_dict.update(HOST="127.0.0.1", PORT="1")
    with pytest.raises(DatabaseError) as raised:
        unreachable.ensure_connection()
    assert is_temporary(raised.value)
    assert not is_conflict(raised.value)


def test_a_statement_that_is_wrong_is_neither(db):
    with pytest.raises(DatabaseError) as raised, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT one FROM nowhere")
    assert not is_temporary(raised.value)


def test_what_is_no_error_of_a_database_is_neither():
    assert not is_temporary(OSError(2002, "refused"))
