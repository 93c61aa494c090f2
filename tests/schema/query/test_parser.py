import re

import pytest

from conversations.schema.query.nodes import And, Not, Or
from conversations.schema.query.parser import parse_query
from tests.schema.query.query_trees import OPERATOR, A, B, C, D, contains, created, eq, has, prefix, query_error

NEW_YEAR = 1767225600  # 2026-01-01T00:00:00Z
DAY = 86_400

ACCEPTED = {
    # Nothing
    "": And(()),
    " \t\n\u3000": And(()),
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
    "topic:* a:1": And((has("topic"), A)),
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
    'word:"OR" a:1': And((eq("word", "OR"), A)),
    "word:AND AND word:OR": And((eq("word", "AND"), eq("word", "OR"))),
    # AND, OR and parentheses
    "a:1 b:1": And((A, B)),
    "a:1\n\tb:1": And((A, B)),
    "a:1 AND b:1": And((A, B)),
    "a:1 AND b:1 c:1": And((A, B, C)),
    "a:1 OR b:1": Or((A, B)),
    "a:1 OR b:1 OR c:1": Or((A, B, C)),
    "a:1 b:1 OR c:1": Or((And((A, B)), C)),
    "a:1 OR b:1 c:1": Or((A, And((B, C)))),
    "a:1 OR b:1 AND c:1 OR d:1": Or((A, And((B, C)), D)),
    "a:1 (b:1 OR c:1)": And((A, Or((B, C)))),
    "(a:1 OR b:1) AND (c:1 OR d:1)": And((Or((A, B)), Or((C, D)))),
    "(a:1 OR b:1)(c:1)d:1": And((Or((A, B)), C, D)),
    "a:1 AND(b:1)OR(c:1)": Or((And((A, B)), C)),
    "( ( a:1 ) )": A,
    "a:1 (b:1 c:1)": And((A, B, C)),
    "a:1 OR (b:1 OR (c:1 OR d:1))": Or((A, B, C, D)),
    "(a:1 b:1) OR (c:1 d:1)": Or((And((A, B)), And((C, D)))),
    "a:1 a:1": And((A, A)),
    "OR:1 OR AND:1": Or((eq("OR", "1"), eq("AND", "1"))),
    "ORDER:1 ANDROID:1": And((eq("ORDER", "1"), eq("ANDROID", "1"))),
    "or:1 and:1": And((eq("or", "1"), eq("and", "1"))),
    # Negation
    "-a:1": Not(A),
    "a:1 -b:1": And((A, Not(B))),
    '-metadata["topic"]:*': Not(has("topic")),
    "--a:1": Not(Not(A)),
    "-(a:1)": Not(A),
    "-(a:1 b:1)": Not(And((A, B))),
    "-(a:1 OR -b:1) c:1": And((Not(Or((A, Not(B)))), C)),
    "(-a:1 b:1)": And((Not(A), B)),
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
    "(created>=2026-01-01 created<2026-01-02) OR a:1": Or(
        (And((created("gte", NEW_YEAR), created("lt", NEW_YEAR + DAY))), A)
    ),
}

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


@pytest.mark.parametrize("text", ACCEPTED)
def test_query_text_is_parsed_to_a_tree(text):
    assert parse_query(text) == ACCEPTED[text]


@pytest.mark.parametrize("text", REFUSED)
def test_syntax_error_names_the_position_and_the_expected_token(text):
    expected, position, got = REFUSED[text]
    assert query_error(text) == f"Invalid 'query': expected {expected} at position {position}, but got {got}."


@pytest.mark.parametrize("text", ["a:1 " * 3 + "x" * 63 + "=", "a:1 !" + "x" * 1000, "created>" + "9" * 1000])
def test_syntax_error_quotes_at_most_20_characters(text):
    assert re.search(r"but got '(.{1,20})'\.$", query_error(text))
