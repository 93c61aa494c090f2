from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from django.db import connections, models, transaction
from django.db.models import F

from conversations import ids
from conversations.db.fields import BytewiseCharField
from conversations.db.retry import retry_on_conflict
from conversations.schema.metadata import MAX_KEY_LENGTH, MAX_VALUE_LENGTH

MAX_KEYS = 1_000  # that are counted, and of each key the values
MAX_VALUES = 50  # that a key may have for them to be shown


class FigureKind(models.TextChoices):
    """The kinds of figures, with what the key and the value of a figure are."""

    CONVERSATIONS = "conversations"  # key: day, as YYYY-MM-DD
    ITEMS = "items"  # key: day, value: item type
    KEY = "key"  # conversations by metadata key
    VALUE = "value"  # conversations by metadata key and value
    OWNER = "owner"  # conversations by the owner's primary key
    SIZE = "size"  # bytes by table and part


class FigureName(NamedTuple):
    """What is counted: of some kinds by key alone, of some by key and value."""

    kind: str
    key: str
    value: str = ""


class OverviewQuerySet(models.QuerySet["Overview"]):
    def current(self) -> Overview | None:
        return self.exclude(counted_at=None).order_by("-pk").first()


class Overview(models.Model):
    """Figures about all conversations and items, up to a place in the order of either table.

    What is changed or deleted behind that place stays counted as it was. A new overview, which is counted beside the
    current one and takes its place at the end, forgets it.
    """

    time_zone = models.CharField(max_length=64)  # whose days these are
    last_conversation_id = BytewiseCharField(max_length=ids.MAX_LENGTH, blank=True, default="")
    last_item = models.BigIntegerField(default=0)  # its primary key
    owner_count = models.PositiveBigIntegerField(default=0)
    counted_at = models.DateTimeField(null=True)  # once it is complete up to then

    objects = OverviewQuerySet.as_manager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.counted_at or "")

    @retry_on_conflict
    def add(self, figures: Mapping[FigureName, int], **place: str | int) -> bool:
        """Add the figures of what follows up to a new place: `last_conversation_id` or `last_item`.

        False, and nothing is added, where a parallel run has come further by now, or to the end of a later overview.
        """
        [(name, new)] = place.items()
        with transaction.atomic():
            # Of two runs that have counted the same rows, the first to move the place adds them.
            unmoved = Overview.objects.filter(pk=self.pk, **{name: getattr(self, name)})
            if not unmoved.update(**place):
                return False
            owners = OverviewFigure.objects.add(self, figures)
            if owners:
                Overview.objects.filter(pk=self.pk).update(owner_count=F("owner_count") + owners)
        setattr(self, name, new)
        return True

    @retry_on_conflict
    def complete(self, *, sizes: Mapping[FigureName, int], counted_at: datetime) -> None:
        """Become the current one. Nothing, if a later one is by now."""
        with transaction.atomic():
            if not Overview.objects.filter(pk=self.pk).update(counted_at=counted_at):
                return
            self.figures.filter(kind=FigureKind.SIZE).delete()
            OverviewFigure.objects.store(self, sizes)
            earlier = Overview.objects.filter(pk__lt=self.pk)
            earlier.update(counted_at=None)  # takes their locks, so that no run adds figures in between
            earlier.delete()


class OverviewFigureQuerySet(models.QuerySet["OverviewFigure"]):
    def add(self, overview: Overview, figures: Mapping[FigureName, int]) -> int:
        """Raise the figures by these, under the overview's lock, and tell how many owners are new.

        A key or value that comes when there are too many is left out for good, so that the others stay exact.
        """
        known = self.named(overview, figures)
        admitted = self._admitted(overview, [name for name in figures if name not in known], known)
        self.store(overview, {name: count + known.get(name, 0) for name, count in figures.items() if name in admitted})
        return sum(name.kind == FigureKind.OWNER and name not in known for name in admitted)

    def named(self, overview: Overview, names: Iterable[FigureName]) -> dict[FigureName, int]:
        """Those of the figures by these names that there are, and of each key all values."""
        keys = defaultdict(set)
        for name in names:
            keys[name.kind].add(name.key)
        return {
            FigureName(kind, key, value): count
            for kind, some in keys.items()
            for key, value, count in self.filter(overview=overview, kind=kind, key__in=some).values_list(
                "key", "value", "count"
            )
        }

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
        admitted = set(known)
        if any(name.kind == FigureKind.KEY for name in new):
            room = MAX_KEYS - self.filter(overview=overview, kind=FigureKind.KEY).count()
            admitted.update([name for name in new if name.kind == FigureKind.KEY][: max(room, 0)])
        keys = {name.key for name in admitted if name.kind == FigureKind.KEY}
        values = Counter(name.key for name in known if name.kind == FigureKind.VALUE)
        for name in new:
            if name.kind == FigureKind.VALUE:
                # One more than are shown tells that there are too many.
                if name.key in keys and values[name.key] <= MAX_VALUES:
                    values[name.key] += 1
                    admitted.add(name)
            elif name.kind != FigureKind.KEY:
                admitted.add(name)
        return admitted


class OverviewFigure(models.Model):
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
