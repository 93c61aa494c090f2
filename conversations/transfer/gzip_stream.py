"""Compress an export while it is written, and decompress it while it is read."""

import zlib
from collections.abc import Generator, Iterable, Iterator
from gzip import GzipFile
from io import BufferedReader, RawIOBase
from typing import IO, Any, cast

GZIP = zlib.MAX_WBITS | 16  # zlib's window size, with the flag for gzip's header and trailer
GZIP_MAGIC = b"\x1f\x8b"  # the first bytes of a file
LEVEL = 6  # gzip's own default

# Errors of reading from a file, compressed or not, that is truncated, corrupt or out of reach.
READ_ERRORS = (EOFError, OSError, zlib.error)


def compress(chunks: Iterable[bytes]) -> Generator[bytes]:
    """Yield the chunks as one gzip stream."""
    compressor = zlib.compressobj(level=LEVEL, wbits=GZIP)
    for chunk in chunks:
        if compressed := compressor.compress(chunk):  # An empty chunk would end a chunked HTTP response.
            yield compressed
    yield compressor.flush()


def join_chunks(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Yield the bytes of the chunks in parts of `size`, the last of which may be shorter."""
    pending = bytearray()
    for chunk in chunks:
        pending += chunk
        while len(pending) >= size:
            yield bytes(pending[:size])
            del pending[:size]
    if pending:
        yield bytes(pending)


def open_gzip_file(file: IO[bytes]) -> IO[bytes]:
    """Return a stream that decompresses the file while it is read."""
    return cast(IO[bytes], GzipFile(fileobj=file))


def open_gzip_chunks(chunks: Iterator[bytes]) -> IO[bytes]:
    """Return a stream that decompresses the chunks while it is read, with one of them in memory at a time."""
    return open_gzip_file(cast(IO[bytes], BufferedReader(_ChunkReader(chunks))))


class _ChunkReader(RawIOBase):
    """A readable file made of chunks."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._chunk = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._chunk:
            self._chunk = memoryview(next(self._chunks, b""))
        count = min(len(buffer), len(self._chunk))
        buffer[:count] = self._chunk[:count]
        self._chunk = self._chunk[count:]
        return count
