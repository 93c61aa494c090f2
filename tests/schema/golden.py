"""The golden files of the item types.

`members` names the members that are required, optional or nullable, those that may have any value ("anything"), and
arrays of any values ("array"). A path names the type of each object that has one:
`computer_call.actions[](click).button`. `accepted` has items as a client sends them and as the API returns them, or
null for items that are not stored. `refused` has items with their errors.
"""

import json
from pathlib import Path
from typing import Any, Literal

FILES = {
    path.stem: json.loads(path.read_text("utf-8")) for path in Path(__file__).parents[1].glob("golden/items/*.json")
}
MINTED = "<minted>"  # instead of an id that the server creates


def cases(kind: Literal["accepted", "refused"]) -> dict[str, Any]:
    """Return the cases of all files by name, such as `message-0`."""
    return {f"{name}-{n}": case for name, file in sorted(FILES.items()) for n, case in enumerate(file[kind])}


MEMBERS = {path: rules for file in FILES.values() for path, rules in file["members"].items()}
ACCEPTED = cases("accepted")
REFUSED = cases("refused")
STORED = {name: case for name, case in ACCEPTED.items() if case["returned"] is not None}
