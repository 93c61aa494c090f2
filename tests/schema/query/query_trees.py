import pytest

from conversations.errors import APIError
from conversations.schema.query.nodes import CreatedCondition, MetadataCondition
from conversations.schema.query.operators import VALUE_SIGNS
from conversations.schema.query.parser import parse_query

# What a syntax error expects after a key, such as ':', '~' or '^'.
*_signs, _last_sign = map(repr, VALUE_SIGNS)
OPERATOR = f"{', '.join(_signs)} or {_last_sign} after the key"


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


def query_error(text):
    with pytest.raises(APIError) as refused:
        parse_query(text)
    error = refused.value
    assert (error.status, error.param, error.code) == (400, "query", "invalid_query")
    return error.message
