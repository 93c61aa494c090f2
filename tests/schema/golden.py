import json
from pathlib import Path
from typing import Any

FILES = {
    path.stem: json.loads(path.read_text("utf-8")) for path in Path(__file__).parents[1].glob("golden/items/*.json")
}
MINTED = "<minted>"


def cases(kind: str) -> dict[str, Any]:
    """The `accepted` or `refused` cases of all files, by a name for each."""
    return {f"{name}-{n}": case for name, file in sorted(FILES.items()) for n, case in enumerate(file[kind])}


ACCEPTED = cases("accepted")
REFUSED = cases("refused")
STORED = {name: case for name, case in ACCEPTED.items() if case["returned"] is not None}
