"""Figures of the charts that the templates in `conversations/charts/` draw as SVG and as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date

from django.utils.formats import date_format, number_format
from django.utils.functional import Promise
from django.utils.translation import gettext

DAY_WIDTH = 10  # in the units of the view box, whose height is 100
MAX_BARS = 10  # rows of a table; one with more is folded after the first `FIRST_BARS`
FIRST_BARS = 8


def format_count(count: int) -> str:
    return number_format(count, force_grouping=True)


@dataclass(frozen=True)
class Bar:
    """A bar of a chart. The SVG attributes are text, because templates format numbers for the reader's language."""

    label: str
    count: str
    share: str
    length: str  # percent of the longest possible bar
    x: str
    y: str
    url: str = ""
    title: str = ""  # of the label, shown on hover
    is_unfinished: bool = False  # a day that is not over


@dataclass(frozen=True)
class Chart:
    title: str | Promise
    label: str | Promise  # heading of the bars' labels
    unit: str | Promise  # heading of the bars' counts
    bars: list[Bar]
    summary: str = ""
    comparison: str = ""  # with the previous period
    counts: tuple[str, ...] = ()  # labels of the axis, from the top

    @property
    def first_bars(self) -> list[Bar]:
        """The rows of the table that are always in view."""
        return self.bars if len(self.bars) <= MAX_BARS else self.bars[:FIRST_BARS]

    @property
    def other_bars(self) -> list[Bar]:
        return self.bars[len(self.first_bars) :]

    @property
    def other_count(self) -> str:
        return format_count(len(self.other_bars))

    @property
    def is_linked(self) -> bool:
        return any(bar.url for bar in self.bars)

    @property
    def width(self) -> str:
        return str(DAY_WIDTH * len(self.bars))

    @property
    def ticks(self) -> list[Bar]:
        """The first and the last bar, and the one in the middle, whose labels stand below the chart."""
        last = len(self.bars) - 1
        return [self.bars[at] for at in sorted({0, last // 2, last})]

    @property
    def has_unfinished(self) -> bool:
        return any(bar.is_unfinished for bar in self.bars)


def day_chart(
    figures: Mapping[date, int],
    *,
    title: str | Promise,
    unit: str | Promise,
    empty_text: str | Promise,
    today: date,
    comparison: str = "",
    url: Callable[[date], str] | None = None,
) -> Chart:
    """Return a chart with a bar for each day. Its summary is `empty_text` if all figures are zero."""
    rows = [
        (date_format(day, "DATE_FORMAT"), count, url(day) if url and count else "") for day, count in figures.items()
    ]
    total, maximum = sum(figures.values()), max(figures.values(), default=0)
    counts = {"total": format_count(total), "maximum": format_count(maximum)}
    summary = gettext("%(total)s total · busiest day %(maximum)s") % counts if total else str(empty_text)
    top = _axis_maximum(maximum)
    bars = [
        replace(bar, is_unfinished=day >= today)
        for bar, day in zip(_bars(rows, total=total, full_length=top), figures, strict=True)
    ]
    labels = tuple(format_count(count) for count in ([top, top // 2, 0] if top % 2 == 0 else [top, 0]))
    return Chart(title, gettext("Day"), unit, bars, summary, comparison, labels)


def format_change(percent: float) -> str:
    """Return the difference with its sign, such as "+9 %". A minus sign is as wide as a plus sign, a hyphen is not."""
    decimals = 0 if abs(percent) >= 10 else 1
    number = number_format(round(abs(percent), decimals), decimals, force_grouping=True)
    sign = "+" if percent > 0 else "\u2212" if percent < 0 else ""
    return gettext("%(percent)s %%") % {"percent": f"{sign}{number}"}


def _axis_maximum(maximum: int) -> int:
    """Return the least number of one digit and zeros that is not less, and whose half is an integer unless it is 1."""
    power = int(10 ** (len(str(maximum)) - 1))
    return next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= maximum)


def bar_chart(
    rows: Iterable[tuple[str, int, str]],
    *,
    title: str | Promise,
    label: str | Promise,
    unit: str | Promise,
    total: int,
    format_number: Callable[[int], str] = format_count,
) -> Chart:
    """Return a chart of rows of label, count and URL, whose bars are shares of the total."""
    return Chart(title, label, unit, _bars(rows, total=total, full_length=total, format_number=format_number))


def _bars(
    rows: Iterable[tuple[str, int, str]],
    *,
    total: int,
    full_length: int,
    format_number: Callable[[int], str] = format_count,
) -> list[Bar]:
    """Return a bar for each row; a bar of full length stands for a count of `full_length`."""
    bars = []
    for number, (label, count, url) in enumerate(rows):
        length = max(round(100 * count / full_length), 1) if count else 0
        share = gettext("%(percent)s %%") % {"percent": number_format(round(100 * count / total, 1) if total else 0, 1)}
        x, y = str(DAY_WIDTH * number), str(100 - length)
        bars.append(Bar(label, format_number(count), share, str(length), x, y, url))
    return bars
