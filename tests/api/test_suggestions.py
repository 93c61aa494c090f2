import pytest
from django.db import connection

KEYS = "/conversation_metadata/keys"
VALUES = "/conversation_metadata/values"


@pytest.fixture(autouse=True)
def conversations(as_alice, as_bob):
    for n in range(3):
        as_alice.new_conversation(topic=f"demo {n % 2}", tenant="acme", Topic="x", **{"ключ": "🦓"})
    as_bob.new_conversation(topic="of bob", to="bob")


def test_suggested_keys_are_distinct_sorted_and_limited_to_the_caller(as_alice, as_bob):
    response = as_alice.get(KEYS)
    assert list(response.json().items()) == [
        ("object", "list"),
        ("data", ["Topic", "tenant", "topic", "ключ"]),
        ("has_more", False),
    ]
    assert as_bob.get(KEYS).json()["data"] == ["to", "topic"]


@pytest.mark.parametrize(
    ("prefix", "found"),
    [("t", ["tenant", "topic"]), ("to", ["topic"]), ("T", ["Topic"]), ("ключ", ["ключ"]), ("x", []), ("topics", [])],
)
def test_keys_are_suggested_by_prefix(as_alice, prefix, found):
    assert as_alice.get(KEYS, prefix=prefix).json()["data"] == found


def test_values_of_a_key_are_suggested_by_prefix(as_alice, as_bob):
    assert as_alice.get(VALUES, key="topic").json()["data"] == ["demo 0", "demo 1"]
    assert as_alice.get(VALUES, key="topic", prefix="demo 1").json()["data"] == ["demo 1"]
    assert as_alice.get(VALUES, key="topic", prefix="of").json()["data"] == []
    assert as_alice.get(VALUES, key="none").json()["data"] == []
    assert as_bob.get(VALUES, key="topic").json()["data"] == ["of bob"]


def test_limited_suggestions_report_whether_there_are_more(as_alice):
    response = as_alice.get(KEYS, limit=2).json()
    assert (response["data"], response["has_more"]) == (["Topic", "tenant"], True)
    assert as_alice.get(KEYS, limit=4).json()["has_more"] is False


def test_suggestions_take_one_query_each(as_alice, django_assert_num_queries):
    as_alice.new_conversation()  # The first request looks up the key.
    number = 4 + 1 if connection.vendor == "mysql" else 1
    for _ in range(2):
        with django_assert_num_queries(number):
            assert len(as_alice.get(KEYS).json()["data"]) == 4
        for _ in range(20):
            as_alice.new_conversation(topic="demo 0")


@pytest.mark.parametrize(
    ("path", "param", "code"),
    [
        (f"{KEYS}?foo=1", "foo", "unknown_parameter"),
        (f"{KEYS}?key=a", "key", "unknown_parameter"),
        (f"{KEYS}?prefix=a&prefix=b", "prefix", "duplicate_parameter"),
        (f"{KEYS}?prefix={'k' * 65}", "prefix", "string_above_max_length"),
        (f"{KEYS}?prefix=%00", "prefix", "invalid_value"),
        (f"{KEYS}?limit=101", "limit", "integer_above_max_value"),
        (VALUES, "key", "missing_required_parameter"),
        (f"{VALUES}?key=a&key=b", "key", "duplicate_parameter"),
        (f"{VALUES}?key={'k' * 65}", "key", "string_above_max_length"),
        (f"{VALUES}?key=a&prefix={'v' * 513}", "prefix", "string_above_max_length"),
    ],
)
def test_invalid_parameters_are_refused(as_alice, path, param, code):
    response = as_alice.client.get(f"/v1{path}")
    error = response.json()["error"]
    assert (response.status_code, error["param"], error["code"]) == (400, param, code)
