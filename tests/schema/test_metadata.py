import pytest

from conversations.errors import APIError
from conversations.schema.metadata import validate_metadata


def validation_error(metadata):
    with pytest.raises(APIError) as raised:
        validate_metadata(metadata)
    return raised.value.message, raised.value.param, raised.value.code


def test_sixteen_pairs_of_maximum_length_are_valid():
    metadata = {f"{n:02}" + "k" * 62: "v" * 512 for n in range(16)}
    assert validate_metadata(metadata) == metadata


@pytest.mark.parametrize("metadata", [{}, {"": ""}, {"ключ": "значение 🙂"}])
def test_small_metadata_is_valid(metadata):
    assert validate_metadata(metadata) == metadata


def test_lengths_are_counted_in_characters():
    metadata = {"🙂" * 64: "ü" * 512}
    assert validate_metadata(metadata) == metadata


@pytest.mark.parametrize(
    ("metadata", "got"),
    [
        (None, "null"),
        ("a", "a string"),
        ([], "an array"),
        (1, "an integer"),
        (True, "a boolean"),
        (1.5, "a decimal number"),
    ],
)
def test_metadata_must_be_an_object(metadata, got):
    message = f"Invalid type for 'metadata': expected a metadata object, but got {got} instead."
    assert validation_error(metadata) == (message, "metadata", "invalid_type")


def test_seventeen_pairs_are_refused():
    assert validation_error({str(n): "" for n in range(17)}) == (
        "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, "
        "but got an object with 17 properties instead.",
        "metadata",
        "object_above_max_properties",
    )


def test_key_of_65_characters_is_refused():
    key = "abc" + "k" * 59 + "xyz"
    assert validation_error({key: "v"}) == (
        "Invalid property name in 'metadata': 'abc...xyz' is too long. "
        "Expected a string with maximum length 64, but got a string with length 65 instead.",
        f"metadata.{key}",
        "property_name_above_max_length",
    )


def test_value_of_513_characters_is_refused():
    assert validation_error({"note": "v" * 513}) == (
        "Invalid 'metadata.note': string too long. Expected a string with maximum length 512, "
        "but got a string with length 513 instead.",
        "metadata.note",
        "string_above_max_length",
    )


@pytest.mark.parametrize(
    ("value", "got"), [(1, "an integer"), (None, "null"), ({}, "an object"), ([], "an array"), (True, "a boolean")]
)
def test_metadata_value_must_be_a_string(value, got):
    message = f"Invalid type for 'metadata.note': expected a string, but got {got} instead."
    assert validation_error({"note": value}) == (message, "metadata.note", "invalid_type")
