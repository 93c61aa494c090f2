"""Members of items that the API returns only to requests whose `include` parameter names them."""

from copy import copy
from dataclasses import dataclass
from typing import Any

OMIT: Any = object()


@dataclass(frozen=True)
class HiddenMember:
    """A member of an item, and the value that replaces it in answers.

    The member belongs to the item itself, to the object in the item's member `parent`, or to the parts of the item's
    content that have the type `part_type`. The default substitute, `OMIT`, removes the member. Imported items may have
    another structure, and then no such member.
    """

    name: str
    parent: str = ""
    part_type: str = ""
    substitute: Any = OMIT

    def include_value(self, item_type: str) -> str:
        """Return the value of `include` that reveals the member, such as `message.input_image.image_url`."""
        return ".".join(name for name in (item_type, self.parent, self.part_type, self.name) if name)

    def hide(self, item: dict[str, Any]) -> dict[str, Any]:
        """Return the item without the member's value. The item itself is not changed."""
        if self.part_type:
            return self._hide_in_parts(item)
        if self.parent:
            members = item.get(self.parent)
            return item | {self.parent: self._hide(members)} if isinstance(members, dict) else item
        return self._hide(item)

    def _hide_in_parts(self, item: dict[str, Any]) -> dict[str, Any]:
        name, part_type, substitute = self.name, self.part_type, self.substitute
        try:
            for part in item["content"]:
                if part["type"] == part_type and part.get(name, OMIT) != substitute:
                    break
            else:
                return item  # Most messages have nothing to hide. Copying them would double the time of a page.
        except (AttributeError, KeyError, TypeError):  # an imported item of another structure
            if not isinstance(item.get("content"), list):
                return item
        parts = [
            self._hide(part) if isinstance(part, dict) and part.get("type") == part_type else part
            for part in item["content"]
        ]
        return item | {"content": parts}

    def _hide(self, members: dict[str, Any]) -> dict[str, Any]:
        if self.substitute is OMIT:
            return {name: value for name, value in members.items() if name != self.name}
        return members | {self.name: copy(self.substitute)}
