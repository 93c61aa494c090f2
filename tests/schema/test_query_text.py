import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations.errors import APIError
from conversations.schema.query import All, Any, CreatedCondition, MetadataCondition, Not
from conversations.schema.query_text import parse_query

NEW_YEAR = 1767225600  # 2026-01-01T00:00:00Z
DAY = 86_400


def eq(key, value):
    return MetadataCondition(key, "eq", (value,))


def contains(key, value):
    return MetadataCondition(key, "contains", (value,))


def prefix(key, value):
    return MetadataCondition(key, "prefix", (value,))


def has(key):
    return MetadataCondition(key, "exists")


def created(operator, seconds):
    return CreatedCondition(operator, seconds)


A, B, C, D = (eq(key, "1") for key in "abcd")

ACCEPTED = {
    # Nothing
    "": All(()),
    " \t\n\u3000": All(()),
    # Keys
    'metadata["order_id"]:"6735"': eq("order_id", "6735"),
    'metadata["order_id"]:6735': eq("order_id", "6735"),
    "topic:demo": eq("topic", "demo"),
    "  topic:demo  ": eq("topic", "demo"),
    "metadata:demo": eq("metadata", "demo"),
    "metadata.topic:demo": eq("metadata.topic", "demo"),
    'metadata["created"]:x': eq("created", "x"),
    'metadata["metadata"]:x': eq("metadata", "x"),
    "created_at:x": eq("created_at", "x"),
    "Created:x": eq("Created", "x"),
    "user-id:x": eq("user-id", "x"),
    "a-:x": eq("a-", "x"),
    "_.a.0:x": eq("_.a.0", "x"),
    "42:x": eq("42", "x"),
    "größe:x": eq("größe", "x"),
    "gro\u0308ße:x": eq("gro\u0308ße", "x"),
    "विषय:x": eq("विषय", "x"),
    "主题:演示": eq("主题", "演示"),
    'metadata["a \\"b\\" [c] \\\\ d"]:x': eq('a "b" [c] \\ d', "x"),
    'metadata["]"]:x': eq("]", "x"),
    'metadata[" "]:x': eq(" ", "x"),
    'metadata["a__b"]:x': eq("a__b", "x"),
    # Operators
    "topic~de": contains("topic", "de"),
    "topic^de": prefix("topic", "de"),
    'metadata["topic"]~"de"': contains("topic", "de"),
    'metadata["topic"]^"de"': prefix("topic", "de"),
    "topic:*": has("topic"),
    'metadata["topic"]:*': has("topic"),
    "(topic:*)": has("topic"),
    "topic:* a:1": All((has("topic"), A)),
    'topic:"*"': eq("topic", "*"),
    "topic^*": prefix("topic", "*"),
    "topic~*": contains("topic", "*"),
    # Values
    'topic:""': eq("topic", ""),
    'topic:"a b"': eq("topic", "a b"),
    'topic:"a (b) OR c"': eq("topic", "a (b) OR c"),
    'topic:"say \\"hi\\""': eq("topic", 'say "hi"'),
    'topic:"C:\\\\dir\\\\"': eq("topic", "C:\\dir\\"),
    'topic:"\\\\\\""': eq("topic", '\\"'),
    'topic:"a\nb"': eq("topic", "a\nb"),
    "topic:C:\\dir": eq("topic", "C:\\dir"),
    "a:b:c": eq("a", "b:c"),
    "a::": eq("a", ":"),
    "a:~b": eq("a", "~b"),
    "a:-1": eq("a", "-1"),
    "a:b*": eq("a", "b*"),
    "a:O'Brien": eq("a", "O'Brien"),
    "a:[b]": eq("a", "[b]"),
    "url:https://example.com/x?y=1&z=%20#a": eq("url", "https://example.com/x?y=1&z=%20#a"),
    'url^"https://example.com/(x)"': prefix("url", "https://example.com/(x)"),
    "a:🙂": eq("a", "🙂"),
    'word:"AND"': eq("word", "AND"),
    'word:"OR" a:1': All((eq("word", "OR"), A)),
    "word:AND AND word:OR": All((eq("word", "AND"), eq("word", "OR"))),
    # AND, OR and parentheses
    "a:1 b:1": All((A, B)),
    "a:1\n\tb:1": All((A, B)),
    "a:1 AND b:1": All((A, B)),
    "a:1 AND b:1 c:1": All((A, B, C)),
    "a:1 OR b:1": Any((A, B)),
    "a:1 OR b:1 OR c:1": Any((A, B, C)),
    "a:1 b:1 OR c:1": Any((All((A, B)), C)),
    "a:1 OR b:1 c:1": Any((A, All((B, C)))),
    "a:1 OR b:1 AND c:1 OR d:1": Any((A, All((B, C)), D)),
    "a:1 (b:1 OR c:1)": All((A, Any((B, C)))),
    "(a:1 OR b:1) AND (c:1 OR d:1)": All((Any((A, B)), Any((C, D)))),
    "(a:1 OR b:1)(c:1)d:1": All((Any((A, B)), C, D)),
    "a:1 AND(b:1)OR(c:1)": Any((All((A, B)), C)),
    "( ( a:1 ) )": A,
    "a:1 (b:1 c:1)": All((A, B, C)),
    "a:1 OR (b:1 OR (c:1 OR d:1))": Any((A, B, C, D)),
    "(a:1 b:1) OR (c:1 d:1)": Any((All((A, B)), All((C, D)))),
    "a:1 a:1": All((A, A)),
    "OR:1 OR AND:1": Any((eq("OR", "1"), eq("AND", "1"))),
    "ORDER:1 ANDROID:1": All((eq("ORDER", "1"), eq("ANDROID", "1"))),
    "or:1 and:1": All((eq("or", "1"), eq("and", "1"))),
    # Negation
    "-a:1": Not(A),
    "a:1 -b:1": All((A, Not(B))),
    '-metadata["topic"]:*': Not(has("topic")),
    "--a:1": Not(Not(A)),
    "-(a:1)": Not(A),
    "-(a:1 b:1)": Not(All((A, B))),
    "-(a:1 OR -b:1) c:1": All((Not(Any((A, Not(B)))), C)),
    "(-a:1 b:1)": All((Not(A), B)),
    "-created<0": Not(created("lt", 0)),
    # Times
    "created>=2026-01-01": created("gte", NEW_YEAR),
    "created<2026-01-01": created("lt", NEW_YEAR),
    "created>2026-01-01": created("gt", NEW_YEAR + DAY - 1),
    "created<=2026-01-01": created("lte", NEW_YEAR + DAY - 1),
    "created>1767225600": created("gt", NEW_YEAR),
    "created>=0": created("gte", 0),
    "created<-1": created("lt", -1),
    "created<999999999999": created("lt", 999999999999),
    "created>2026-01-01T00:00": created("gt", NEW_YEAR),
    "created<=2026-01-01T00:00:01": created("lte", NEW_YEAR + 1),
    "created<=2026-01-01T00:00:01Z": created("lte", NEW_YEAR + 1),
    "created<2026-01-01T02:00:00+02:00": created("lt", NEW_YEAR),
    "created<2025-12-31T18:30-0530": created("lt", NEW_YEAR),
    "created>=2026-01-01T00:00:00.000Z": created("gte", NEW_YEAR),
    "created>=2026-01-01T00:00:00.5Z": created("gte", NEW_YEAR + 1),
    "created<2026-01-01T00:00:00.000001Z": created("lt", NEW_YEAR + 1),
    "created>2026-01-01T00:00:00.5Z": created("gt", NEW_YEAR),
    "created<=2026-01-01T00:00:00.999999Z": created("lte", NEW_YEAR),
    "created>=2024-02-29": created("gte", 1709164800),
    "created>=0001-01-01": created("gte", -62135596800),
    "created<=9999-12-31": created("lte", 253402300799),
    "created<=9999-12-31T23:59:59-23:59": created("lte", 253402300799 + 86340),
    "(created>=2026-01-01 created<2026-01-02) OR a:1": Any(
        (All((created("gte", NEW_YEAR), created("lt", NEW_YEAR + DAY))), A)
    ),
}

OPERATOR = "':', '~' or '^' after the key"
VALUE = "a word or a text in double quotes directly after"
TIME = "a date, an ISO date-time or Unix seconds directly after"
COMPARISON = "'>', '>=', '<' or '<=' after 'created' (a metadata key of that name is written metadata[\"created\"])"
AFTER = "a space, ')' or the end after the condition"

REFUSED = {
    # What is more likely a slip than a word to search for
    '"refund policy":x': ('a bare word or metadata["key"] as the key', 1, "'\"'"),
    "metadata": (OPERATOR, 9, "the end"),
    "NOT a:1": (OPERATOR, 4, "a space"),
    "a:1 or b:1": (OPERATOR, 7, "a space"),
    # Keys
    "topic : demo": (OPERATOR, 6, "a space"),
    "topic=demo": (OPERATOR, 6, "'=demo'"),
    "topic>=2026-01-01": (OPERATOR, 6, "'>=2026-01-01'"),
    "topic\uff1ademo": (OPERATOR, 6, "'\uff1ademo'"),
    'topic["a"]:x': (OPERATOR, 6, "'['"),
    'metadata["topic"]': (OPERATOR, 18, "the end"),
    'metadata["topic"] :x': (OPERATOR, 18, "a space"),
    'metadata["topic"]>x': (OPERATOR, 18, "'>x'"),
    'metadata ["topic"]:x': (OPERATOR, 9, "a space"),
    "metadata[topic]:x": ("'\"'", 10, "'topic]:x'"),
    "metadata['topic']:x": ("'\"'", 10, "''topic']:x'"),
    'metadata["topic":x': ("']' after the key", 17, "':x'"),
    'metadata["a"b"]:x': ("']' after the key", 13, "'b'"),
    "metadata[": ("'\"'", 10, "the end"),
    'metadata["topic': ("a closing '\"'", 16, "the end"),
    'metadata[""]:x': ("a key", 10, "an empty string"),
    'metadata["a\\n"]:x': (r"""'\"' or '\\'""", 12, "'\\n'"),
    ":demo": ("a condition", 1, "':demo'"),
    "=": ("a condition", 1, "'='"),
    "🙂:x": ("a condition", 1, "'🙂:x'"),
    "\u201ctopic\u201d:x": ("a condition", 1, "'\u201ctopic\u201d:x'"),
    # Values
    "topic:": (f"{VALUE} ':'", 7, "the end"),
    "topic: demo": (f"{VALUE} ':'", 7, "a space"),
    "topic~)": (f"{VALUE} '~'", 7, "')'"),
    "topic^(a:1)": (f"{VALUE} '^'", 7, "'('"),
    "topic:'a b'": (f"{VALUE} ':'", 7, "''a'"),
    "topic:\u201ca b\u201d": (f"{VALUE} ':'", 7, "'\u201ca'"),
    'topic:"a': ("a closing '\"'", 9, "the end"),
    'topic:"a\\"': ("a closing '\"'", 11, "the end"),
    'topic:"a\\': (r"""'\"' or '\\'""", 9, "'\\'"),
    'topic:"a\\tb"': (r"""'\"' or '\\'""", 9, "'\\tb'"),
    'topic:"a\\ b"': (r"""'\"' or '\\'""", 9, "'\\'"),
    "topic:*x": (AFTER, 8, "'x'"),
    "topic:**": (AFTER, 8, "'*'"),
    'topic:*"x"': (AFTER, 8, "'\"'"),
    'topic:a"b"': (AFTER, 8, "'\"'"),
    'topic:"a"b': (AFTER, 10, "'b'"),
    'topic:"a""b"': (AFTER, 10, "'\"'"),
    "topic:a(b)": (AFTER, 8, "'('"),
    # AND, OR and parentheses
    "AND": ("a condition", 1, "'AND'"),
    "OR a:1": ("a condition", 1, "'OR'"),
    "a:1 OR": ("a condition", 7, "the end"),
    "a:1 AND ": ("a condition", 9, "the end"),
    "a:1 AND OR b:1": ("a condition", 9, "'OR'"),
    "a:1 OR OR b:1": ("a condition", 8, "'OR'"),
    "a:1 AND AND b:1": ("a condition", 9, "'AND'"),
    "(": ("a condition", 2, "the end"),
    "()": ("a condition", 2, "')'"),
    ")": ("a condition", 1, "')'"),
    "a:1)": ("the end", 4, "')'"),
    "(a:1))": ("the end", 6, "')'"),
    "(a:1": ("')'", 5, "the end"),
    "(a:1 OR (b:1)": ("')'", 14, "the end"),
    "(a:1 OR)": ("a condition", 8, "')'"),
    # Negation
    "-": ("a condition", 2, "the end"),
    "- a:1": ("a condition or '(' directly after '-'", 2, "a space"),
    "-AND a:1": ("a condition", 2, "'AND'"),
    "-)": ("a condition", 2, "')'"),
    # Times
    "created": (COMPARISON, 8, "the end"),
    "created:2026-01-01": (COMPARISON, 8, "':2026-01-01'"),
    "created~2026": (COMPARISON, 8, "'~2026'"),
    "created^2026": (COMPARISON, 8, "'^2026'"),
    "created:*": (COMPARISON, 8, "':*'"),
    "created=2026-01-01": (COMPARISON, 8, "'=2026-01-01'"),
    "created >= 2026-01-01": (COMPARISON, 8, "a space"),
    "created>= 2026-01-01": (f"{TIME} '>='", 10, "a space"),
    "created<": (f"{TIME} '<'", 9, "the end"),
    "created=>2026-01-01": (COMPARISON, 8, "'=>2026-01-01'"),
    'created>"2026-01-01"': (f"{TIME} '>'", 9, "'\"'"),
    "created>yesterday": (f"{TIME} '>'", 9, "'yesterday'"),
    "created>2026-1-1": (f"{TIME} '>'", 9, "'2026-1-1'"),
    "created>2026-02-29": (f"{TIME} '>'", 9, "'2026-02-29'"),
    "created>0000-01-01": (f"{TIME} '>'", 9, "'0000-01-01'"),
    "created>2026-01-01T25:00": (f"{TIME} '>'", 9, "'2026-01-01T25:00'"),
    "created>2026-01-01T00:00:00+99:00": (f"{TIME} '>'", 9, "'2026-01-01T00:00:00+'"),
    "created>2026-01-01Z": (f"{TIME} '>'", 9, "'2026-01-01Z'"),
    "created>1.5": (f"{TIME} '>'", 9, "'1.5'"),
    "created>1767225600000": (f"{TIME} '>'", 9, "'1767225600000'"),
    "created>١٢": (f"{TIME} '>'", 9, "'١٢'"),
    # What no database can be asked for
    "a:\0": ("a character that can be stored", 3, "a NUL character"),
    'a:"x\ud800"': ("a character that can be stored", 5, "a lone surrogate"),
}

KEY_TOO_LONG = "key too long at position {}. Expected a string with maximum length 64, but got a string with length {}"
VALUE_TOO_LONG = (
    "value too long at position {}. Expected a string with maximum length 512, but got a string with length {}"
)


def refusal(text):
    with pytest.raises(APIError) as refused:
        parse_query(text)
    error = refused.value
    assert (error.status, error.param, error.code) == (400, "query", "invalid_query")
    return error.message


def conditions(count):
    return " ".join(f"k{n}:v" for n in range(count))


@pytest.mark.parametrize("text", ACCEPTED)
def test_a_text_becomes_a_tree(text):
    assert parse_query(text) == ACCEPTED[text]


@pytest.mark.parametrize("text", REFUSED)
def test_a_refusal_names_the_place_and_what_was_expected(text):
    expected, position, got = REFUSED[text]
    assert refusal(text) == f"Invalid 'query': expected {expected} at position {position}, but got {got}."


@pytest.mark.parametrize("text", ["a:1 " * 3 + "x" * 63 + "=", "a:1 !" + "x" * 1000, "created>" + "9" * 1000])
def test_a_refusal_shows_at_most_20_characters(text):
    assert re.search(r"but got '(.{1,20})'\.$", refusal(text))


def test_a_text_may_have_2000_characters():
    assert parse_query("a:1".ljust(2000)) == A
    assert refusal("a:1".ljust(2001)) == (
        "Invalid 'query': string too long. "
        "Expected a string with maximum length 2000, but got a string with length 2001 instead."
    )


def test_a_query_may_have_16_conditions():
    assert len(parse_query(conditions(16)).of) == 16
    position = len(conditions(16)) + 2
    assert (
        refusal(conditions(17)) == f"Invalid 'query': too many conditions at position {position}. Expected at most 16."
    )


def test_conditions_are_counted_in_every_group():
    text = f"({conditions(8)}) OR -({conditions(8)}) OR created>0"
    assert refusal(text).startswith(f"Invalid 'query': too many conditions at position {text.index('created') + 1}.")


@pytest.mark.parametrize("opening", ["(", "-", "( ", "-("])
def test_a_query_may_be_nested_20_deep(opening):
    levels = len(opening.strip())
    deepest = opening * (20 // levels)
    closing = ")" * deepest.count("(")
    parse_query(f"{deepest}a:1{closing}")
    assert refusal(f"{deepest}-a:1{closing}") == (
        f"Invalid 'query': nested too deeply at position {len(deepest) + 1}. Expected at most 20 levels."
    )


def test_depth_is_given_back_after_a_group():
    group = "(" * 20 + "a:1" + ")" * 20
    assert parse_query(f"{group} {group} OR {group}") == Any((All((A, A)), A))


@pytest.mark.parametrize("character", ["(", "-", "( ", "-("])
def test_endless_nesting_ends_at_the_limit(character):
    assert "nested too deeply at position" in refusal((character * 2000)[:2000])


def test_a_key_may_have_64_characters():
    longest = "k" * 64
    assert parse_query(f"{longest}:x") == eq(longest, "x")
    assert parse_query(f'metadata["{longest}"]:x') == eq(longest, "x")
    assert parse_query('metadata["' + '\\"' * 64 + '"]:x') == eq('"' * 64, "x")
    assert refusal(f"a:1 {longest}k:x") == f"Invalid 'query': {KEY_TOO_LONG.format(5, 65)} instead."
    assert refusal(f'metadata["{longest}k"]:x') == f"Invalid 'query': {KEY_TOO_LONG.format(10, 65)} instead."


def test_a_value_may_have_512_characters():
    longest = "v" * 512
    assert parse_query(f"a:{longest}") == eq("a", longest)
    assert parse_query(f'a~"{longest}"') == contains("a", longest)
    assert parse_query('a:"' + "\\\\" * 512 + '"') == eq("a", "\\" * 512)
    assert refusal(f"a:{longest}v") == f"Invalid 'query': {VALUE_TOO_LONG.format(3, 513)} instead."
    assert refusal(f'b:1 a^"{longest}v"') == f"Invalid 'query': {VALUE_TOO_LONG.format(7, 513)} instead."


pieces = st.sampled_from(
    [
        *'()-"\\:~^*[]<>= ',
        "AND",
        "OR",
        " AND ",
        " OR ",
        "metadata",
        'metadata["',
        '"]',
        "created",
        ">=2026-01-01",
        "a:1",
    ]
)
texts = st.text(max_size=60) | st.lists(pieces | st.characters(), max_size=80).map("".join)


def problem(text):
    try:
        parse_query(text)
    except APIError as error:
        return error


@given(texts)
def test_any_text_is_parsed_or_refused_at_a_place_within_it(text):
    if error := problem(text):
        assert (error.status, error.param, error.code) == (400, "query", "invalid_query")
        assert 1 <= int(re.search(r" at position (\d+)[.,]", error.message)[1]) <= len(text) + 1


storable = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
keys = st.text(storable, min_size=1, max_size=6)
values = st.text(storable, max_size=6)
leaves = (
    st.builds(eq, keys, values)
    | st.builds(contains, keys, values)
    | st.builds(prefix, keys, values)
    | st.builds(has, keys)
    | st.builds(created, st.sampled_from(["gt", "gte", "lt", "lte"]), st.integers(-(10**12) + 1, 10**12 - 1))
)


def joined(kind, parts):
    return kind(tuple(inner for part in parts for inner in (part.of if isinstance(part, kind) else [part])))


def groups(trees):
    several = st.lists(trees, min_size=2, max_size=3)
    return (
        several.map(lambda parts: joined(All, parts)) | several.map(lambda parts: joined(Any, parts)) | trees.map(Not)
    )


trees = st.recursive(leaves, groups, max_leaves=8)


def quote(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def written(tree):
    match tree:
        case All(of):
            return f"({' AND '.join(map(written, of))})"
        case Any(of):
            return f"({' OR '.join(map(written, of))})"
        case Not(of):
            return f"-{written(of)}"
        case CreatedCondition(operator, seconds):
            return f"created{ {'gt': '>', 'gte': '>=', 'lt': '<', 'lte': '<='}[operator] }{seconds}"
        case MetadataCondition(key, "exists"):
            return f"metadata[{quote(key)}]:*"
        case MetadataCondition(key, operator, (value,)):
            return f"metadata[{quote(key)}]{ {'eq': ':', 'contains': '~', 'prefix': '^'}[operator] }{quote(value)}"


@given(trees)
def test_a_tree_that_is_written_out_is_read_back_the_same(tree):
    assert parse_query(written(tree)) == tree
