from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo


@dataclass(frozen=True)
class Period:
    """Consecutive days, from the first to the last."""

    first: date
    last: date

    @classmethod
    def of_days(cls, number: int, *, last: date) -> Period:
        return cls(last - timedelta(days=number - 1), last)

    @property
    def length(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def days(self) -> list[date]:
        return [self.first + timedelta(days=number) for number in range(self.length)]

    def bounds(self, zone: tzinfo) -> tuple[datetime, datetime]:
        """Return the midnights at which the period begins and ends in a time zone."""
        end = self.last + timedelta(days=1)
        return datetime.combine(self.first, time(), tzinfo=zone), datetime.combine(end, time(), tzinfo=zone)

    @property
    def previous(self) -> Period:
        """The period of the same length that ends the day before this one."""
        return Period.of_days(self.length, last=self.first - timedelta(days=1))


@dataclass(frozen=True)
class Comparison:
    """A total of the previous period, and the comparable totals of the days that are over."""

    previous_total: int
    complete: int
    previous_complete: int

    @classmethod
    def of_days(cls, by_day: dict[date, int], before: dict[date, int], *, today: date) -> Comparison:
        """Compare a period with the one before: each day with the one in the same place, if it is over."""
        pairs = zip(by_day.items(), before.values(), strict=True)
        complete = [(count, count_before) for (day, count), count_before in pairs if day < today]
        return cls(sum(before.values()), sum(a for a, _ in complete), sum(b for _, b in complete))

    @property
    def change(self) -> float | None:
        """The difference in percent, or None if there is nothing to compare with."""
        if not self.previous_complete:
            return None
        return 100 * (self.complete - self.previous_complete) / self.previous_complete
