"""Charts that the server draws: the numbers that their templates write into SVG and tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from django.utils.formats import date_format, number_format
from django.utils.functional import Promise
from django.utils.translation import gettext

SLOT = 10  # of a day, in the chart's own units


def format_count(count: int) -> str:
    return number_format(count, force_grouping=True)


@dataclass(frozen=True)
class Bar:
    """Its measures are text, as SVG reads them: a template would write numbers as the reader's language has them."""

    label: str
    count: str
    share: str
    length: str  # of 100
    rest: str
    place: str
    url: str = ""


@dataclass(frozen=True)
class Chart:
    title: str | Promise
    label: str | Promise  # what each bar is
    unit: str | Promise  # what is counted
    bars: list[Bar]
    total: str
    maximum: str  # what the longest bar could stand for

    @property
    def is_linked(self) -> bool:
        return any(bar.url for bar in self.bars)

    @property
    def width(self) -> str:
        return str(SLOT * len(self.bars))

    @property
    def description(self) -> str:
        parts = {"title": self.title, "total": self.total, "maximum": self.maximum}
        return gettext("%(title)s: %(total)s in all, at most %(maximum)s a day") % parts


def chart_of_days(
    figures: Mapping[date, int],
    *,
    title: str | Promise,
    unit: str | Promise,
    url: Callable[[date], str] | None = None,
) -> Chart:
    rows = [
        (date_format(day, "DATE_FORMAT"), count, url(day) if url and count else "") for day, count in figures.items()
    ]
    maximum = max(figures.values(), default=0)
    return _chart(rows, title=title, label=gettext("Day"), unit=unit, total=sum(figures.values()), longest=maximum)


def chart_of_bars(
    rows: Iterable[tuple[str, int, str]],
    *,
    title: str | Promise,
    label: str | Promise,
    unit: str | Promise,
    total: int,
    number: Callable[[int], str] = format_count,
) -> Chart:
    """Rows are label, count and address. Bars are shares of the total."""
    return _chart(list(rows), title=title, label=label, unit=unit, total=total, longest=total, number=number)


def _chart(
    rows: list[tuple[str, int, str]],
    *,
    title: str | Promise,
    label: str | Promise,
    unit: str | Promise,
    total: int,
    longest: int,
    number: Callable[[int], str] = format_count,
) -> Chart:
    bars = []
    for place, (name, count, url) in enumerate(rows):
        length = max(round(100 * count / longest), 1) if count else 0
        share = gettext("%(percent)s %%") % {"percent": number_format(100 * count / total if total else 0, 1)}
        bars.append(Bar(name, number(count), share, str(length), str(100 - length), str(SLOT * place), url))
    return Chart(title, label, unit, bars, number(total), number(longest))
