from django.apps import AppConfig, apps
from django.utils.translation import gettext_lazy as _


class ConversationsConfig(AppConfig):
    name = "conversations"
    verbose_name = _("Conversations")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from conversations import checks  # noqa: F401 - registers the system checks

        if apps.is_installed("drf_spectacular"):
            from conversations.api.openapi import extensions  # noqa: F401 - registers the extensions
