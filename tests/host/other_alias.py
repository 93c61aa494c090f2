from typing import Any

from django.conf import settings


class OtherAliasRouter:
    """Database router that uses a database other than the default one for everything."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return settings.OTHER_ALIAS

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return settings.OTHER_ALIAS

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == settings.OTHER_ALIAS
