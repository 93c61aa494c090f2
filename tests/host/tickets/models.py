from django.db import models


class Conversation(models.Model):
    status = models.CharField(max_length=20, choices=[("open", "Open"), ("closed", "Closed")])
    role = models.CharField(max_length=20, choices=[("agent", "Agent"), ("customer", "Customer")])

    def __str__(self) -> str:
        return f"{self.role}: {self.status}"
