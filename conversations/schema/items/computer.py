"""Calls that operate a computer, and the screenshots they return."""

from typing import Annotated, Literal, NotRequired

from conversations.schema.items.hidden_members import HiddenMember
from conversations.schema.items.registry import item_type
from conversations.schema.items.types import CallID, DefaultTo, JSONObject, OneOf, Open, Status


class Click(JSONObject):
    type: Literal["click"]
    button: Open[Literal["left", "right", "wheel", "back", "forward"]]
    keys: NotRequired[list[str] | None]
    x: int
    y: int


class DoubleClick(JSONObject):
    type: Literal["double_click"]
    keys: NotRequired[list[str] | None]
    x: int
    y: int


class Coordinate(JSONObject):
    x: int
    y: int


class Drag(JSONObject):
    type: Literal["drag"]
    keys: NotRequired[list[str] | None]
    path: list[Coordinate]


class KeyPress(JSONObject):
    type: Literal["keypress"]
    keys: list[str]


class Move(JSONObject):
    type: Literal["move"]
    keys: NotRequired[list[str] | None]
    x: int
    y: int


class Screenshot(JSONObject):
    type: Literal["screenshot"]


class Scroll(JSONObject):
    type: Literal["scroll"]
    keys: NotRequired[list[str] | None]
    scroll_x: int
    scroll_y: int
    x: int
    y: int


class Type(JSONObject):
    type: Literal["type"]
    text: str


class Wait(JSONObject):
    type: Literal["wait"]


ComputerAction = Annotated[
    Click | DoubleClick | Drag | KeyPress | Move | Screenshot | Scroll | Type | Wait,
    OneOf(is_open=True),
]


class SafetyCheck(JSONObject):
    id: str
    code: NotRequired[str | None]
    message: NotRequired[str | None]


@item_type(id_prefix="cu_", searchable=("action", "actions"), output_type="computer_call_output")
class ComputerCall(JSONObject):
    id: NotRequired[str | None]
    type: Literal["computer_call"]
    status: Status
    action: NotRequired[ComputerAction]
    actions: NotRequired[list[ComputerAction]]
    call_id: str
    pending_safety_checks: NotRequired[Annotated[list[SafetyCheck], DefaultTo([])]]


class ComputerScreenshot(JSONObject):
    type: Literal["computer_screenshot"]
    file_id: NotRequired[str]
    image_url: NotRequired[str]


@item_type(id_prefix="cuo_", is_prefix_known=False, searchable=(), hidden=(HiddenMember("image_url", parent="output"),))
class ComputerCallOutput(JSONObject):
    id: NotRequired[str | None]
    type: Literal["computer_call_output"]
    status: NotRequired[Annotated[Literal[Status, "failed"], DefaultTo("completed")]]
    acknowledged_safety_checks: NotRequired[list[SafetyCheck] | None]
    call_id: CallID
    output: ComputerScreenshot
    created_by: NotRequired[str]
