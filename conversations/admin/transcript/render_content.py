"""Renderers for the content of messages and outputs: texts, images, files and citations."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from conversations.admin.transcript.blocks import (
    Block,
    BlockKind,
    Label,
    as_json,
    render_each,
    truncate_opaque,
)
from conversations.admin.transcript.fields import field_label, remaining_fields
from conversations.admin.transcript.stored_files import StoredFile, decode_file
from conversations.rendering.safe_urls import escape_bidi_controls, web_host

MAX_IMAGE_CHARACTERS = 4_000_000  # of Base64, so an image of 3 MB


def as_content(label: Label, value: Any, *, kind: BlockKind = "text") -> list[Block]:
    """Render the content of a message or an output: a text, or a list of text, image and file parts."""
    if isinstance(value, str):
        return [Block(kind, label, value)]
    if isinstance(value, list):
        return render_each(partial(as_content_part, kind=kind), label, value)
    return as_json(label, value)


as_prose = partial(as_content, kind="markdown")


def as_screenshot(label: Label, value: Any) -> list[Block]:
    return as_content(label, [value])


def as_image(label: Label, value: Any) -> list[Block]:
    """Render an image that is given by its URL or as Base64."""
    if not isinstance(value, str):
        return as_json(label, value)
    if host := web_host(value):
        return [Block("remote_image", label, host, url=value)]
    file = decode_file(value)
    if file is None or not file.is_image or not _is_declared_type(value, file):
        return [Block("field", label, truncate_opaque(value))]
    description = f"{file.media_type.removeprefix('image/').upper()}, {filesizeformat(file.size)}"
    if len(file.encoded) > MAX_IMAGE_CHARACTERS:
        text = gettext("%(image)s, too large to display") % {"image": description}
        return [Block("file", label, text, file_key=file.key)]
    url = f"data:{file.media_type};base64,{file.encoded}"
    return [Block("image", label, description, url=url, file_key=file.key)]


def as_link(label: Label, value: Any, title: str = "") -> list[Block]:
    if not isinstance(value, str):
        return as_json(label, value)
    if web_host(value):
        return [Block("link", label, escape_bidi_controls(title), url=value)]
    url = truncate_opaque(value)
    return [Block("field", label, f"{escape_bidi_controls(title)} · {url}" if title else url)]


def as_content_part(label: Label, value: Any, *, kind: BlockKind = "text") -> Iterable[Block]:
    match value:
        case {
            "type": "input_text" | "output_text" | "text" | "summary_text" | "reasoning_text",
            "text": str(text),
            **rest,
        }:
            annotations = rest.pop("annotations", None)
            yield Block(kind, label, text)
            yield from _annotations(annotations)
        case {"type": "refusal", "refusal": str(refusal), **rest}:
            yield Block("text", _("Refusal"), refusal)
        case {"type": "input_image" | "computer_screenshot", **rest}:
            if rest.get("image_url") is not None:
                yield from as_image(_("Image"), rest.pop("image_url"))
            yield from _pop_fields(_("Image"), rest, "file_id")
            if rest.get("detail") == "auto":
                del rest["detail"]
        case {"type": "input_file", **rest}:
            yield from _pop_fields(_("File"), rest, "filename", "file_id")
            if isinstance(data := rest.get("file_data"), str):
                del rest["file_data"]
                yield _file_data(data)
            if rest.get("file_url") is not None:
                yield from as_link(_("File"), rest.pop("file_url"))
        case _:
            yield from as_json(label, value)
            return
    yield from remaining_fields(rest)


def _pop_fields(label: Label, members: dict[Any, Any], *names: str) -> Iterable[Block]:
    """Remove the named members that are texts from `members`, and yield a block for each."""
    for name in names:
        if isinstance(members.get(name), str):
            yield Block("field", label, truncate_opaque(members.pop(name)))


def _annotations(value: Any) -> Iterable[Block]:
    if not isinstance(value, list):
        yield from remaining_fields({"annotations": value})
        return
    for annotation in value:
        match annotation:
            case {"type": "url_citation", "url": str(url), "title": str(title), **rest} if web_host(url):
                yield from as_link(_("Source"), url, title)
                yield from remaining_fields(
                    {name: rest[name] for name in rest if name not in ("start_index", "end_index")}
                )
            case {"type": str(kind), **members} if all(isinstance(member, str | int) for member in members.values()):
                text = " · ".join(f"{field_label(str(name))}: {member}" for name, member in members.items())
                yield Block("field", field_label(kind), escape_bidi_controls(text), name=kind)
            case _:
                yield from as_json(_("Annotation"), annotation)


def _file_data(value: str) -> Block:
    """Return the size of a file with a link to download it, or the size of what is no Base64."""
    file = decode_file(value)
    if file is None:
        return Block("field", _("Size"), filesizeformat(len(value) * 3 // 4))
    return Block("file", _("Size"), filesizeformat(file.size), file_key=file.key)


def _is_declared_type(value: str, file: StoredFile) -> bool:
    """Whether a data URL declares the type that the file has. Base64 alone declares none."""
    return value[:5].lower() != "data:" or value[5:].lower().startswith(f"{file.media_type};base64,")
