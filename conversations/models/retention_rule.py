from __future__ import annotations

from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from conversations.errors import APIError
from conversations.schema.query.nodes import searches_text
from conversations.schema.query.parser import parse_query
from conversations.validation import QueryRefusal

MAX_DAYS = 36_500


class RetentionRule(models.Model):
    """A rule that deletes conversations for good when they are old enough, once a night while it is enabled."""

    class Basis(models.TextChoices):
        CREATED = "created", _("creation")
        ACTIVE = "active", _("last activity")

    name = models.CharField(_("name"), max_length=100, unique=True)
    query = models.TextField(
        _("query"),
        blank=True,
        help_text=_("In the query language, as topic:demo -status:open. Empty for all conversations."),
    )
    days = models.PositiveIntegerField(_("age in days"), validators=[MinValueValidator(1), MaxValueValidator(MAX_DAYS)])
    basis = models.CharField(_("age since"), max_length=16, choices=Basis.choices, default=Basis.CREATED)
    is_enabled = models.BooleanField(
        _("enabled"), default=False, help_text=_("Try the rule first: its dry run shows what it would delete.")
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("retention rule")
        verbose_name_plural = _("retention rules")

    def __str__(self) -> str:
        return str(self.name)

    def clean(self) -> None:
        """Check the query. Words are refused, because the number of matches would give away message content."""
        try:
            query = parse_query(self.query)
        except APIError as error:
            refusal = QueryRefusal(self.query, error)
            text = gettext("“%(part)s” is no condition on metadata or times.") % {"part": refusal.refused_part}
            raise ValidationError({"query": text if refusal.suggestion else str(refusal)}) from error
        if searches_text(query):
            raise ValidationError({"query": _("Retention rules can't search messages. Use metadata and times.")})

    def cutoff(self) -> datetime:
        """Return the time before which conversations are old enough."""
        return timezone.now() - timedelta(days=self.days)
