from django.conf import settings
from django.db import models

from conversations.db.fields import BytewiseCharField


class Identity(models.Model):
    """A person at the identity provider, whose sign-ins belong to one user.

    Only the issuer and the subject identify a person: names and e-mail addresses can change, and be given to others.
    """

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="identities")
    issuer = BytewiseCharField(max_length=255)
    subject = BytewiseCharField(max_length=255)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "identities"
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="project_identity_unique")]

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer}"
