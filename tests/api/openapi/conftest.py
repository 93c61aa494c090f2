import json
from typing import Any

import pytest

from project.openapi import build_description


@pytest.fixture(scope="session")
def description() -> dict[str, Any]:
    """The description that the service serves, as its settings make it."""
    return dict(json.loads(build_description()))
