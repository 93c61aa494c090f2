from typing import Any


class PrimaryReplicaRouter:
    """Database router of Django's documentation: writes go to the primary, reads to a replica."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return "replica"

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return "primary"

    def allow_relation(self, one: Any, other: Any, **hints: Any) -> bool:
        return True
