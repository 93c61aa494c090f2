import pytest
from django.db import connection

from tests.schema.query.typed_texts import SAYING, TYPED, WORDLESS

# The full-text index of MariaDB and MySQL finds committed rows only.
pytestmark = pytest.mark.django_db(transaction=connection.vendor == "mysql")


@pytest.mark.parametrize("text", TYPED)
def test_api_reads_typed_text_in_the_strict_mode(as_alice, text):
    _reading, position = TYPED[text]
    response = as_alice.get("/conversations", query=text)
    if position is None:
        assert response.status_code == 200
        return
    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["param"], error["code"]) == ("query", "invalid_query")
    assert f"at position {position}, but got" in error["message"]


@pytest.mark.parametrize("text", SAYING)
def test_api_finds_what_was_typed_by_the_reading_of_the_admin(as_alice, text):
    saying = as_alice.new_conversation({"role": "user", "content": f"Well, {text} is what I said, parcel"})
    as_alice.new_conversation({"role": "user", "content": "something else"})
    reading, _position = TYPED[text]
    response = as_alice.get("/conversations", query=reading)
    assert [conversation["id"] for conversation in response.json()["data"]] == [saying]


@pytest.mark.parametrize("text", WORDLESS)
def test_api_refuses_text_without_words(as_alice, text):
    assert as_alice.get("/conversations", query=text).status_code == 400
