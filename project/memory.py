"""Bound the memory of request bodies and return it to the operating system."""

import ctypes
import gc
from threading import Lock

from conversations.conf import app_settings

LARGE_BYTES = 4 * 1024 * 1024  # the size from which the memory of a request is returned as soon as possible
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # from malloc.h
MALLOC_THRESHOLD = 256 * 1024  # bytes
ARENAS = 2

libc = ctypes.CDLL(None)


class ByteBudget:
    """The bytes of request bodies that this process holds, at most `CONVERSATIONS_MAX_BYTES_IN_FLIGHT`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._in_flight = 0
        self._has_released_large = False

    def reserve(self, size: int) -> bool:
        """Whether there is room for `size` more bytes, which the caller then has to release."""
        with self._lock:
            if self._in_flight + size > app_settings.max_bytes_in_flight:
                return False
            self._in_flight += size
            return True

    def release(self, size: int) -> None:
        with self._lock:
            self._in_flight -= size
            if size >= LARGE_BYTES:
                self._has_released_large = True

    def return_memory(self) -> None:
        """Return the memory of large requests to the operating system, once no large body is in flight.

        Requests of DRF are reference cycles, and an idle process would not collect them.
        """
        if self._has_released_large and self._in_flight < LARGE_BYTES:
            self._has_released_large = False
            gc.collect()
            if hasattr(libc, "malloc_trim"):
                libc.malloc_trim(0)


def configure_malloc() -> None:
    """Have glibc allocate objects above a fixed size apart from others, and use few arenas.

    By default each thread may have an arena, and the first 30 MB object that is freed raises that size to 30 MB. The
    next ones then share arenas with small objects that live longer, so that their memory can't be returned.
    """
    if hasattr(libc, "mallopt"):
        libc.mallopt(M_MMAP_THRESHOLD, MALLOC_THRESHOLD)
        libc.mallopt(M_TRIM_THRESHOLD, MALLOC_THRESHOLD)
        libc.mallopt(M_ARENA_MAX, ARENAS)
