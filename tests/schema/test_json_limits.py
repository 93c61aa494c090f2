import json
import math
import re
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversations.errors import APIError
from conversations.schema.json_limits import (
    MAX_DEPTH,
    check_limits,
    check_storable,
    check_value_count,
    loads,
    replace_lone_surrogates,
    replace_nul,
)

NUMBERS = ["0", "-0", "1e5", "1E-400", "1e400", "-1e400", "0.1", "5e-324", "1" * 20 + ".5", "NaN", "-Infinity"]
NUMBERS += [str(sign * (2**bits + more)) for bits in (53, 63, 64, 70) for more in (-1, 0, 1) for sign in (1, -1)]
STRINGS = [
    r'"\u0000"',
    r'"\\u0000"',
    r'"\ud83d"',
    r'"\ud83d\ude42"',
    r'"\ude42\ud83d"',
    '"\t"',
    '"ä🦀"',
    f'"{"9" * 19}"',
]
WORDS = ["null", "true", "nul", ""]


def arrays_and_objects(inner):
    members = st.tuples(st.sampled_from(['"a"', '"b"', *STRINGS]), inner).map(":".join)
    return st.lists(inner).map(lambda each: f"[{','.join(each)}]") | st.lists(members).map(
        lambda each: f"{{{','.join(each)}}}"
    )


def storage_error(value, **options):
    with pytest.raises(APIError) as raised:
        check_storable(value, **options)
    assert (raised.value.status, raised.value.code) == (400, "invalid_value")
    return raised.value.message, raised.value.param


def nested_value(depth):
    value = "core"
    for _ in range(depth):
        value = [value]
    return value


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(codec="utf-8", exclude_characters="\0")),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="ascii", min_codepoint=32)), inner),
    )
)
def test_ordinary_json_is_storable(value):
    check_storable(value)
    check_limits(value)
    assert replace_lone_surrogates(value) is value


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"items": [{"content": "a\0"}]}, "items[0].content"),
        ({"items": [{"a\0b": 1}]}, "items[0]"),
        ({"metadata": {"k": "\0"}}, "metadata.k"),
    ],
)
def test_nul_characters_are_refused(value, path):
    assert storage_error(value) == (f"Invalid '{path}': NUL character in a string. Expected text without it.", path)


@pytest.mark.parametrize("text", [r'"\ud83d"', r'"\ude42"', r'"\ude42\ud83d"'])
def test_lone_surrogates_are_refused(text):
    message = "Invalid 'items[0]': lone surrogate in a string. Expected text without it."
    assert storage_error({"items": [json.loads(text)]}) == (message, "items[0]")


def test_limits_of_numbers_and_depth_apply_to_text_with_any_character():
    check_limits({"\0": ["\ud83d"]})
    for value in (2**63, math.nan, nested_value(MAX_DEPTH)):
        with pytest.raises(APIError):
            check_limits({"\0": ["\ud83d", value]})


def test_lone_surrogates_are_replaced_in_names_and_texts_at_any_depth():
    value = {"a": [{"\ude42\ud83d": ["x\ud83d🙂", 1, None]}], "b": "\0"}
    assert replace_lone_surrogates(value) == {"a": [{"\ufffd\ufffd": ["x\ufffd🙂", 1, None]}], "b": "\0"}


def test_nul_is_replaced_in_names_and_texts_at_any_depth():
    assert replace_nul({"a\0": [{"\0": ["\0\0", 1, None]}]}) == {"a\ufffd": [{"\ufffd": ["\ufffd\ufffd", 1, None]}]}


def test_a_pair_of_surrogates_is_one_character():
    check_storable(json.loads(r'"\ud83d\ude42"'))


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, json.loads("1e999")])
def test_numbers_that_are_not_finite_are_refused(number):
    message = "Invalid 'a.b': not a finite number. Expected a number other than NaN and Infinity."
    assert storage_error({"a": {"b": number}}) == (message, "a.b")


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**40])
def test_integers_beyond_64_bits_are_refused(number):
    message = "Invalid 'n': integer out of range. Expected an integer of at most 64 bits."
    assert storage_error({"n": number}) == (message, "n")


def test_nesting_is_limited_to_the_maximum_depth():
    check_storable(nested_value(MAX_DEPTH))
    message, param = storage_error({"a": nested_value(MAX_DEPTH)})
    assert message.endswith(": nested too deeply. Expected at most 128 levels.")
    assert param == "a" + "[0]" * (MAX_DEPTH - 1)


def test_nesting_that_would_exhaust_the_stack_is_refused():
    assert "nested too deeply" in storage_error(nested_value(100_000))[0]


def test_first_of_several_invalid_values_is_reported():
    assert storage_error({"a": [1, {"b": math.nan}], "c": "\0"})[1] == "a[1].b"


def test_error_path_starts_with_the_given_path():
    assert storage_error(["\0"], path="metadata")[1] == "metadata[0]"


def test_top_level_value_has_no_error_param():
    assert storage_error("\0")[1] is None


def test_the_path_leads_through_equal_members():
    assert storage_error({"a": [[], [[]], {"b": ["", [], "\0"]}, "\0"]})[1] == "a[2].b[2]"


@pytest.mark.parametrize("member", ["[]", '""', "[0]", '{"a":[]}'])
def test_check_takes_less_memory_than_the_text(member):
    text = f"[{','.join([member] * 10_000)}]"
    value = json.loads(text)
    tracemalloc.start()
    try:
        check_storable(value)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < len(text)


@given(st.text(st.sampled_from('",[{}]\\ab'), max_size=30), st.integers(0, 5))
def test_values_are_counted_outside_of_strings(text, maximum):
    outside = re.sub(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)', "", text)
    count = sum(map(outside.count, ",[{"))
    try:
        check_value_count(text.encode(), maximum=maximum)
    except APIError:
        assert count > maximum
    else:
        assert count <= maximum


def outcome(read):
    try:
        return repr(read())  # which tells 1 from 1.0, and the order of members
    except APIError as error:
        return error.envelope()
    except ValueError:
        return "no JSON"


@settings(max_examples=settings.default.max_examples * 3)
@given(st.recursive(st.sampled_from([*NUMBERS, *STRINGS, *WORDS]), arrays_and_objects, max_leaves=12))
def test_loads_agrees_with_json_loads(text):
    def read_and_check():
        value = json.loads(text)
        check_limits(value)
        return json.loads(re.sub("[\ud800-\udfff]", "\ufffd", json.dumps(value, ensure_ascii=False)))

    assert outcome(lambda: loads(text.encode())) == outcome(read_and_check)


@pytest.mark.parametrize("escape", [r"\u0000", r"\ud83d"])
@pytest.mark.parametrize(
    ("value", "path"), [('"?"', "metadata"), ('{"?":1}', "metadata"), ('{"b":[{"c":"?"}]}', "metadata.b[0].c")]
)
def test_metadata_of_a_request_has_neither_nul_nor_lone_surrogates(escape, value, path):
    value = value.replace("?", escape)
    for text in (
        f'{{"metadata":{value}}}',
        f'{{"x":"?","metadata":{value},"y":1}}',
        f'{{"metadata":1,"metadata":{value}}}',
    ):
        with pytest.raises(APIError) as raised:
            loads(text.encode())
        assert raised.value.param == path
    for text in (f'{{"x":{{"metadata":{value}}},"metadata":"\\\\u0000"}}', f'[{{"metadata":{value}}}]', '"metadata?"'):
        loads(text.encode())
