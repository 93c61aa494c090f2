import pytest

from conversations.models import Conversation


def nested_value(depth: int) -> bytes:
    """Return a body with nested lists whose innermost one is at this depth; the body itself is at depth 1."""
    return b'{"items":[{"role":"user","content":"x","deep":' + b"[" * (depth - 3) + b"]" * (depth - 3) + b"}]}"


REFUSED = {
    "a NUL character": (rb'{"metadata":{"a":"x\u0000"}}', "metadata.a", "NUL character in a string"),
    "a NUL in a key": (rb'{"metadata":{"\u0000":"x"}}', "metadata", "NUL character in a string"),
    "a lone surrogate": (rb'{"metadata":{"a":"\ud83d"}}', "metadata.a", "lone surrogate in a string"),
    "a reversed pair": (rb'{"metadata":{"a":"\ude00\ud83d"}}', "metadata.a", "lone surrogate in a string"),
    "an integer beyond 64 bits": (b'{"items":[{"x":9223372036854775808}]}', "items[0].x", "integer out of range"),
    "a negative one": (b'{"items":[{"x":-9223372036854775809}]}', "items[0].x", "integer out of range"),
    "one of 5,000 digits": (b'{"items":[{"x":' + b"1" * 5000 + b"}]}", "items[0].x", "integer out of range"),
    "NaN": (b'{"items":[{"x":[1,NaN]}]}', "items[0].x[1]", "not a finite number"),
    "Infinity": (b'{"items":[{"x":Infinity}]}', "items[0].x", "not a finite number"),
    "an exponent beyond a double": (b'{"items":[{"x":1e999}]}', "items[0].x", "not a finite number"),
    "129 levels": (nested_value(129), "items[0].deep" + "[0]" * 125, "nested too deeply"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_values_that_a_database_cannot_store_are_refused_with_their_path(as_alice, case):
    body, param, start = REFUSED[case]
    response = as_alice.send("/conversations", body)
    error = response.json()["error"]
    assert (response.status_code, error["param"], error["code"]) == (400, param, "invalid_value")
    assert error["message"].startswith(f"Invalid '{param}': {start}")
    assert not Conversation.objects.exists()


def test_extreme_but_storable_values_are_preserved(as_alice):
    values = {
        "integers": [9223372036854775807, -9223372036854775808, 0, -1],
        "numbers": [1.0, -0.5, 1e22, 1.7976931348623157e308, 5e-324, 0.1],
        "strings": ["😀", "\0", "\u0001", "\\u0000", "\u2028", "ﷺ", "a\tb\n", "\x7f", ""],
        "": {"nothing": None, "true": True},
    }
    [item] = as_alice.items(as_alice.new_conversation({"role": "user", "content": "x", "values": values}))
    assert item["values"] == values
    assert [str(number) for number in item["values"]["numbers"]] == [str(number) for number in values["numbers"]]


def test_nesting_of_128_levels_is_preserved(as_alice):
    response = as_alice.send("/conversations", nested_value(128))
    assert response.status_code == 200
    [item] = as_alice.items(response.json()["id"])
    depth, value = 3, item["deep"]
    while isinstance(value, list):
        depth, value = depth + 1, value[0] if value else None
    assert depth == 128


def many_values(count: int) -> bytes:
    """Return a body with this many commas and opening brackets."""
    arrays = b",".join([b"[]"] * ((count - 5) // 2)) + b",1" * ((count - 5) % 2)
    return b'{"items":[{"role":"user","content":"x","z":[' + arrays + b"]}]}"


@pytest.mark.slow
def test_a_megabyte_of_empty_arrays_is_stored(as_alice):
    response = as_alice.send("/conversations", many_values(700_000))
    assert response.status_code == 200
    [item] = as_alice.items(response.json()["id"])
    assert len(item["z"]) == 349_998


def test_body_with_too_many_values_is_refused_and_names_the_limit(as_alice, assert_error, settings):
    settings.CONVERSATIONS_MAX_JSON_VALUES = 100
    assert as_alice.send("/conversations", many_values(100)).status_code == 200
    assert_error(
        as_alice.send("/conversations", many_values(101)),
        400,
        "Invalid body: too many values. Expected at most 100, counted as commas and opening brackets.",
        code="too_many_values",
    )
    assert Conversation.objects.count() == 1


def test_commas_and_brackets_in_strings_are_not_counted_as_values(as_alice, settings):
    settings.CONVERSATIONS_MAX_JSON_VALUES = 10
    text = '\\ "quoted", [{,,,,,,,,,,'
    [item] = as_alice.items(as_alice.new_conversation({"role": "user", "content": text}))
    assert item["content"][0]["text"] == text
