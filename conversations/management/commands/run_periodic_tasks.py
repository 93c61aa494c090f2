from typing import Any

from django.core.management.base import BaseCommand

from conversations.management.periodic import run_due_tasks


class Command(BaseCommand):
    help = (
        "Refreshes the overview, applies the retention rules, and purges the trash and old records of requests, as far "
        "as this is due and no other process does it. Run it every few minutes if no service does the periodic work."
    )

    def handle(self, **options: Any) -> None:
        names = run_due_tasks()
        self.stdout.write(f"Ran {', '.join(names)}." if names else "Nothing is due.")
