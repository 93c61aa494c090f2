"""Calls of a shell, and the output of its commands."""

from typing import Annotated, Literal, NotRequired

from conversations.schema.items.containers import ContainerReference, LocalEnvironment
from conversations.schema.items.functions import Caller
from conversations.schema.items.registry import item_type
from conversations.schema.items.types import CallID, CompletedStatus, DefaultTo, JSONObject, LongText, OneOf, Status


class Exec(JSONObject):
    type: Literal["exec"]
    command: list[str]
    env: dict[str, str]
    timeout_ms: NotRequired[int | None]
    user: NotRequired[str | None]
    working_directory: NotRequired[str | None]


@item_type(id_prefix="lsh_", is_prefix_known=False, searchable=("action",), output_type="local_shell_call_output")
class LocalShellCall(JSONObject):
    id: NotRequired[str | None]
    type: Literal["local_shell_call"]
    status: Status
    action: Exec
    call_id: str


# An output has no `call_id`. OpenAI describes its id in the words that describe the `call_id` of a call.
@item_type(id_prefix="lsho_", is_prefix_known=False, searchable=("output",), pairing_member="id")
class LocalShellCallOutput(JSONObject):
    id: NotRequired[str | None]
    type: Literal["local_shell_call_output"]
    status: NotRequired[Status | None]
    output: str


class ShellAction(JSONObject):
    commands: list[str]
    max_output_length: NotRequired[Annotated[int | None, DefaultTo(None)]]
    timeout_ms: NotRequired[Annotated[int | None, DefaultTo(None)]]


Environment = Annotated[LocalEnvironment | ContainerReference, OneOf(is_open=True)]


@item_type(id_prefix="sh_", searchable=("action",), output_type="shell_call_output")
class ShellCall(JSONObject):
    id: NotRequired[str | None]
    type: Literal["shell_call"]
    status: NotRequired[CompletedStatus]
    action: ShellAction
    call_id: CallID
    caller: NotRequired[Caller | None]
    environment: NotRequired[Annotated[Environment | None, DefaultTo(None)]]
    created_by: NotRequired[str]


class Timeout(JSONObject):
    type: Literal["timeout"]


class Exit(JSONObject):
    type: Literal["exit"]
    exit_code: int


class CommandOutput(JSONObject):
    outcome: Annotated[Timeout | Exit, OneOf(is_open=True)]
    stderr: LongText
    stdout: LongText
    created_by: NotRequired[str]


@item_type(id_prefix="sho_", is_prefix_known=False, searchable=("output",))
class ShellCallOutput(JSONObject):
    id: NotRequired[str | None]
    type: Literal["shell_call_output"]
    status: NotRequired[CompletedStatus]
    call_id: CallID
    caller: NotRequired[Caller | None]
    max_output_length: NotRequired[Annotated[int | None, DefaultTo(None)]]
    output: list[CommandOutput]
    created_by: NotRequired[str]
