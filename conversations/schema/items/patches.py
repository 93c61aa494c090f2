"""Calls that patch files, and their outputs."""

from typing import Annotated, Literal, NotRequired

from conversations.schema.items.functions import Caller
from conversations.schema.items.registry import item_type
from conversations.schema.items.types import CallID, JSONObject, LongText, NonEmptyText, OneOf


class CreateFile(JSONObject):
    type: Literal["create_file"]
    diff: LongText
    path: NonEmptyText


class DeleteFile(JSONObject):
    type: Literal["delete_file"]
    path: NonEmptyText


class UpdateFile(JSONObject):
    type: Literal["update_file"]
    diff: LongText
    path: NonEmptyText


@item_type(id_prefix="apc_", searchable=("operation",), output_type="apply_patch_call_output")
class ApplyPatchCall(JSONObject):
    id: NotRequired[str | None]
    type: Literal["apply_patch_call"]
    status: Literal["in_progress", "completed"]
    call_id: CallID
    caller: NotRequired[Caller | None]
    operation: Annotated[CreateFile | DeleteFile | UpdateFile, OneOf(is_open=True)]
    created_by: NotRequired[str]


@item_type(id_prefix="apco_", is_prefix_known=False, searchable=("output",))
class ApplyPatchCallOutput(JSONObject):
    id: NotRequired[str | None]
    type: Literal["apply_patch_call_output"]
    status: Literal["completed", "failed"]
    call_id: CallID
    caller: NotRequired[Caller | None]
    output: NotRequired[LongText | None]
    created_by: NotRequired[str]
