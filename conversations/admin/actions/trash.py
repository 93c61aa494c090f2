from __future__ import annotations

from typing import Any

from django.utils import timezone

from conversations.admin.list.columns import format_time
from conversations.conf import app_settings
from conversations.models.deleted_conversation import restorable_until


def restore_context() -> dict[str, Any]:
    """What pages that ask for confirmation say of restoring."""
    until = restorable_until(timezone.now()) if app_settings.restore_days else None
    return {"restorable_until": format_time(until)}
