from datetime import timedelta

from django.apps import AppConfig
from django.core.checks import register


class ResponsesConfig(AppConfig):
    name = "conversations.responses"
    label = "conversations_responses"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from conversations.api.base import ModelURLView
        from conversations.management.periodic import TASKS, Task
        from conversations.responses.checks import check_upstream
        from conversations.responses.purge import purge_turns

        register(check_upstream)
        ModelURLView.advice = (
            "Of the URLs that call models, this server answers /v1/responses and /v1/models, at a port that answers "
            "the rest of the API too: with `manage.py serve`, the port after its own. Set it in your client's base URL."
        )
        TASKS.append(Task("purge_turns", purge_turns, timedelta(hours=1)))
