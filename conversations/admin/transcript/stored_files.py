"""Files that items hold as Base64: images, and files of messages. A file's key is a hash of its content."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
DATA_URL = re.compile(r"data:([^,;]{0,200})(?:;[^,;]{0,200}){0,5};base64,", re.IGNORECASE)
MAX_PREFIX_CHARACTERS = 1_500  # of a data URL, before its Base64
MAX_NAME_CHARACTERS = 150
UNSAFE_IN_NAMES = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\"*:<>?|]")
IMAGE_SIGNATURES = {
    "image/png": re.compile(rb"\x89PNG"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/gif": re.compile(rb"GIF8"),
    "image/webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
}
OTHER_SIGNATURES = {"application/pdf": re.compile(rb"%PDF-")}
UNKNOWN_TYPE = "application/octet-stream"  # which browsers save and never display


@dataclass(frozen=True)
class StoredFile:
    """A file as Base64. Its type follows from its first bytes, whatever its name or its data URL claims."""

    encoded: str
    name: str = ""

    @cached_property
    def media_type(self) -> str:
        start = b64decode(self.encoded[:16] + "=" * (-len(self.encoded[:16]) % 4))
        signatures = {**IMAGE_SIGNATURES, **OTHER_SIGNATURES}
        return next((name for name, signature in signatures.items() if signature.match(start)), UNKNOWN_TYPE)

    @property
    def is_image(self) -> bool:
        return self.media_type in IMAGE_SIGNATURES

    @property
    def size(self) -> int:
        return len(self.encoded) * 3 // 4 - self.encoded[-2:].count("=")

    @property
    def key(self) -> str:
        return sha256(self.encoded.encode()).hexdigest()[:32]

    @property
    def content(self) -> bytes:
        return b64decode(self.encoded)

    def download_name(self, default: str) -> str:
        """Return a name without folders, and without characters that could disguise its ending."""
        name = UNSAFE_IN_NAMES.sub("_", re.split(r"[/\\]", self.name)[-1]).strip(" .")
        if not name:
            ending = self.media_type.partition("/")[2] if self.media_type != UNKNOWN_TYPE else "bin"
            name = f"{default}.{ending}"
        return name[-MAX_NAME_CHARACTERS:]


def decode_file(text: object, name: object = "") -> StoredFile | None:
    """Return the file in a data URL or in Base64 without one, or None for any other value."""
    if not isinstance(text, str):
        return None
    prefix = DATA_URL.match(text[:MAX_PREFIX_CHARACTERS])
    encoded = text[prefix.end() :] if prefix else text
    if len(encoded) % 4 or not BASE64.fullmatch(encoded):
        return None
    return StoredFile(encoded, name if isinstance(name, str) else "")


def find_file(data: Any, key: str) -> StoredFile | None:
    """Return the file of an item with this key."""
    return next((file for file in _files(data) if file.key == key), None)


def _files(data: Any) -> Iterator[StoredFile]:
    """Yield what may be a file: data URLs anywhere, the data of files, and the images of calls that generate them."""
    values = [data]
    while values:
        value = values.pop()
        if isinstance(value, dict):
            name = value.get("filename")
            for member, text in value.items():
                is_named = member in ("file_data", "result", "image_url", "url")
                may_be_file = is_named or (isinstance(text, str) and text.startswith("data:"))
                if may_be_file and (file := decode_file(text, name)):
                    yield file
            values.extend(value.values())
        elif isinstance(value, list):
            values.extend(value)
