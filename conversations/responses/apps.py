from datetime import timedelta

from django.apps import AppConfig


class ResponsesConfig(AppConfig):
    name = "conversations.responses"
    label = "conversations_responses"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from conversations.management.periodic import TASKS, Task
        from conversations.responses import checks  # noqa: F401 - registers the system checks
        from conversations.responses.purge import purge_turns

        TASKS.append(Task("purge_turns", purge_turns, timedelta(hours=1)))
