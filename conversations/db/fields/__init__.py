"""Model fields that behave alike on every database, which Django's own fields do not."""

from conversations.db.fields.json import LongJSONField, StoredText, VerbatimJSONField
from conversations.db.fields.text import (
    BytewiseCharField,
    BytewiseTextField,
    CreationTimeField,
    WordsField,
    encode_word,
)

__all__ = [
    "BytewiseCharField",
    "BytewiseTextField",
    "CreationTimeField",
    "LongJSONField",
    "StoredText",
    "VerbatimJSONField",
    "WordsField",
    "encode_word",
]
