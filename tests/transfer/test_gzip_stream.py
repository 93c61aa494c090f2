import gzip
from io import BytesIO

import pytest

from conversations.transfer.gzip_stream import READ_ERRORS, compress, open_gzip_chunks, open_gzip_file

CHUNKS = [b"first\n", b"", b"second " * 10_000, b"\nlast"]


def test_compressed_chunks_are_one_gzip_stream():
    compressed = list(compress(CHUNKS))
    assert gzip.decompress(b"".join(compressed)) == b"".join(CHUNKS)
    assert b"" not in compressed


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_chunks_of_any_size_are_decompressed(size):
    compressed = b"".join(compress(CHUNKS))
    chunks = iter([compressed[start : start + size] for start in range(0, len(compressed), size)])
    assert open_gzip_chunks(chunks).read() == open_gzip_file(BytesIO(compressed)).read() == b"".join(CHUNKS)


@pytest.mark.parametrize("damage", [lambda text: text[:-10], lambda text: b"x" + text, lambda text: text[:20] * 2])
def test_damaged_streams_raise_read_errors(damage):
    with pytest.raises(READ_ERRORS):
        open_gzip_file(BytesIO(damage(b"".join(compress(CHUNKS))))).read()
