import pytest

from conversations.errors import APIError
from conversations.schema.query.nodes import CreatedCondition, MetadataCondition
from conversations.schema.query.parser import parse_query


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
