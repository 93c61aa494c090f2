from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from django.db import connections, models, router, transaction
from django.db.models import F

from conversations import ids
from conversations.db.fields import BytewiseCharField
from conversations.db.retry import retry_on_conflict
from conversations.schema.metadata import MAX_KEY_LENGTH, MAX_VALUE_LENGTH

MAX_KEYS = 1_000  # metadata keys that are counted
MAX_VALUES = 50  # values per key; keys with more of them are charted without values
MAX_TOOLS = 100  # tools that are counted on a day


class FigureKind(models.TextChoices):
    """The kinds of figures, with what the key and the value of a figure are."""

    CONVERSATIONS = "conversations"  # key: day, as YYYY-MM-DD
    ITEMS = "items"  # key: day, value: item type
    FAILED = "failed"  # items that report a failure; key: day, value: item type
    TOOL = "tool"  # calls; key: day, value: tool
    FAILED_TOOL = "failed_tool"  # calls or outputs that report a failure; key: day, value: tool
    KEY = "key"  # conversations by metadata key
    VALUE = "value"  # conversations by metadata key and value
    OWNER = "owner"  # conversations by the owner's primary key
    SIZE = "size"  # bytes by table and part


TOOL_KINDS = {FigureKind.TOOL, FigureKind.FAILED_TOOL}


class FigureName(NamedTuple):
    """Identifies a figure within an overview. Some kinds of figures have a key only, others also a value."""

    kind: str
    key: str
    value: str = ""


class OverviewQuerySet(models.QuerySet["Overview"]):
    def current(self) -> Overview | None:
        """Return the newest complete overview, if there is one."""
        return self.exclude(counted_at=None).order_by("-pk").first()


class Overview(models.Model):
    """A rollup of all conversations and items, up to a cursor in each of the two tables.

    Rows that are changed or deleted before the cursor stay counted as they were, except for redacted items. To correct
    that, a new overview is counted from the beginning and replaces the current one when it is complete.
    """

    time_zone = models.CharField(max_length=64)  # of the days that figures are counted by
    last_conversation_id = BytewiseCharField(max_length=ids.MAX_LENGTH, blank=True, default="")
    last_item = models.BigIntegerField(default=0)  # primary key
    owner_count = models.PositiveBigIntegerField(default=0)
    counted_at = models.DateTimeField(null=True)  # None until the overview is complete

    objects = OverviewQuerySet.as_manager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.counted_at or "")

    @retry_on_conflict
    def add(self, figures: Mapping[FigureName, int], **cursor: str | int) -> bool:
        """Add the figures of the next rows, and move the cursor `last_conversation_id` or `last_item` to the last one.

        Return False, and add nothing, if a concurrent run has moved the cursor or has completed a later overview.
        """
        [(name, value)] = cursor.items()
        using = router.db_for_write(Overview, instance=self)
        with transaction.atomic(using=using):
            rows = Overview.objects.using(using).filter(pk=self.pk)
            # If two runs have counted the same rows, only the first one finds the cursor where it was.
            if not rows.filter(**{name: getattr(self, name)}).update(**cursor):
                return False
            new_owners = OverviewFigure.objects.using(using).add(self, figures)
            if new_owners:
                rows.update(owner_count=F("owner_count") + new_owners)
        setattr(self, name, value)
        return True

    @retry_on_conflict
    def complete(self, *, sizes: Mapping[FigureName, int], counted_at: datetime) -> None:
        """Make this the current overview, and delete earlier ones. Do nothing if a later one has replaced it."""
        using = router.db_for_write(Overview, instance=self)
        with transaction.atomic(using=using):
            overviews, figures = Overview.objects.using(using), OverviewFigure.objects.using(using)
            if not overviews.filter(pk=self.pk).update(counted_at=counted_at):
                return
            figures.filter(overview=self.pk, kind=FigureKind.SIZE).delete()
            figures.store(self, sizes)
            earlier = overviews.filter(pk__lt=self.pk)
            earlier.update(counted_at=None)  # Lock the rows, so that no concurrent run adds figures.
            earlier.delete()


class OverviewFigureQuerySet(models.QuerySet["OverviewFigure"]):
    def add(self, overview: Overview, figures: Mapping[FigureName, int]) -> int:
        """Add the counts to the stored figures, and return the number of new owners. The overview must be locked.

        A key, value or tool beyond the maximum is never counted, so that the figures of the others are exact.
        """
        known = self.counts(overview, figures)
        admitted = self._admitted(overview, [name for name in figures if name not in known], known)
        self.store(overview, {name: count + known.get(name, 0) for name, count in figures.items() if name in admitted})
        return sum(name.kind == FigureKind.OWNER and name not in known for name in admitted)

    def counts(self, overview: Overview, names: Iterable[FigureName]) -> dict[FigureName, int]:
        """Return the stored figures of these kinds and keys, with all values of a key."""
        keys = defaultdict(set)
        for name in names:
            keys[name.kind].add(name.key)
        return {
            FigureName(kind, key, value): count
            for kind, kind_keys in keys.items()
            for key, value, count in self.filter(overview=overview, kind=kind, key__in=kind_keys).values_list(
                "key", "value", "count"
            )
        }

    def change(self, overview: Overview, change: Mapping[FigureName, int]) -> None:
        """Add differences. Ignore negative ones of figures that `add` has not admitted."""
        known = self.counts(overview, change)
        self.add(overview, {name: count for name, count in change.items() if count > 0 or name in known})

    def store(self, overview: Overview, figures: Mapping[FigureName, int]) -> None:
        features = connections[self.db].features
        self.bulk_create(
            [OverviewFigure(overview=overview, **name._asdict(), count=count) for name, count in figures.items()],
            batch_size=1_000,
            update_conflicts=True,
            update_fields=["count"],
            unique_fields=["overview", "kind", "key", "value"]
            if features.supports_update_conflicts_with_target
            else None,
        )

    def _admitted(self, overview: Overview, new: list[FigureName], known: Mapping[FigureName, int]) -> set[FigureName]:
        """Return the known names, and the new ones that do not exceed the maximum number of keys or values."""
        admitted = set(known)
        if any(name.kind == FigureKind.KEY for name in new):
            room = MAX_KEYS - self.filter(overview=overview, kind=FigureKind.KEY).count()
            admitted.update([name for name in new if name.kind == FigureKind.KEY][: max(room, 0)])
        keys = {name.key for name in admitted if name.kind == FigureKind.KEY}
        values = Counter(name.key for name in known if name.kind == FigureKind.VALUE)
        tools = Counter((name.kind, name.key) for name in known if name.kind in TOOL_KINDS)
        for name in new:
            if name.kind in TOOL_KINDS:
                if tools[name.kind, name.key] < MAX_TOOLS:
                    tools[name.kind, name.key] += 1
                    admitted.add(name)
            elif name.kind == FigureKind.VALUE:
                # One value beyond the maximum is stored: it shows that the key has too many values for a chart.
                if name.key in keys and values[name.key] <= MAX_VALUES:
                    values[name.key] += 1
                    admitted.add(name)
            elif name.kind != FigureKind.KEY:
                admitted.add(name)
        return admitted


class OverviewFigure(models.Model):
    """A count of an overview, for example of the conversations that have a metadata key."""

    overview = models.ForeignKey(Overview, on_delete=models.CASCADE, related_name="figures", db_index=False)
    kind = BytewiseCharField(max_length=16, choices=FigureKind.choices)
    key = BytewiseCharField(max_length=MAX_KEY_LENGTH)
    value = BytewiseCharField(max_length=MAX_VALUE_LENGTH, blank=True, default="")
    count = models.BigIntegerField()

    objects = OverviewFigureQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["overview", "kind", "key", "value"], name="conversations_overview_unique_figure"
            )
        ]
        indexes = [models.Index(fields=["overview", "kind", "count"], name="conversations_overview_count")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key} {self.value}: {self.count}"
