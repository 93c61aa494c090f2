"""The part of the overview's URL that chooses a period and, in the parameters of the list, the conversations."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

from django.http import HttpRequest, QueryDict
from django.template.defaultfilters import truncatechars
from django.utils.translation import gettext

from conversations.admin.actions.selection import Selection
from conversations.admin.list.filter_form import ListForm
from conversations.admin.list.parameters import OPEN_PARAMETER, PATIENT_PARAMETER
from conversations.overview.period import Period

DAYS_PARAMETER = "days"
DATE_PARAMETERS = ("created_from", "created_to")
MAX_DAYS = 366
MAX_TITLE = 100  # characters of the filter
FIRST, LAST = date(1975, 1, 1), date(2100, 1, 1)  # Ids have times of these years, and of the previous period.


@dataclass
class OverviewFilters:
    """The filters of one request."""

    model_admin: Any
    request: HttpRequest

    @cached_property
    def form(self) -> ListForm:
        """The form of the page, with the dates of the period."""
        return ListForm(self._parameters(PATIENT_PARAMETER, OPEN_PARAMETER))

    @cached_property
    def conditions(self) -> ListForm:
        """The filters without the period, whose links choose another one."""
        return ListForm(self._parameters(PATIENT_PARAMETER, OPEN_PARAMETER, DAYS_PARAMETER, *DATE_PARAMETERS))

    @cached_property
    def selection(self) -> Selection:
        """The conversations that match the conditions, whenever they were created."""
        request: Any = copy(self.request)
        request.GET = self.conditions.data
        return Selection.from_list(self.model_admin, request)

    @property
    def is_active(self) -> bool:
        return bool(self.selection.filters)

    @property
    def title(self) -> str:
        """The title of the page, which names what the conditions select."""
        name = truncatechars(self.conditions.title, MAX_TITLE)
        return gettext("Overview: %(filter)s") % {"filter": name} if name else gettext("Overview")

    @property
    def is_patient(self) -> bool:
        return PATIENT_PARAMETER in self.request.GET

    @property
    def patient_url(self) -> str:
        return self.form.url((PATIENT_PARAMETER, "1"))

    @property
    def days(self) -> int | None:
        """The number of days up to today that was chosen, or None if dates were."""
        periods: tuple[int, ...] = self.model_admin.overview_days
        if self._dates:
            return None
        return next((days for days in periods if str(days) == self.request.GET.get(DAYS_PARAMETER)), periods[0])

    @property
    def choices(self) -> list[tuple[int, str]]:
        """The periods to choose from, as a number of days and the URL."""
        periods = sorted(self.model_admin.overview_days)
        return [(days, self.conditions.url((DAYS_PARAMETER, str(days)))) for days in periods]

    def period(self, today: date) -> Period:
        """Return the chosen period: the last MAX_DAYS days of a longer one."""
        if not self._dates:
            return Period.of_days(self.days or 1, last=today)
        first, last = self._dates
        last = last or max(today, first or today)
        first = max(
            first or last - timedelta(days=self.model_admin.overview_days[0] - 1), last - timedelta(MAX_DAYS - 1)
        )
        return Period(first, last)

    @cached_property
    def _dates(self) -> tuple[date | None, date | None] | None:
        if not self.form.is_valid():
            return None
        first, last = (self.form.cleaned_data[name] for name in DATE_PARAMETERS)
        dates = [each if each and FIRST <= each <= LAST else None for each in (first, last)]
        return (dates[0], dates[1]) if any(dates) else None

    def _parameters(self, *names: str) -> QueryDict:
        parameters = self.request.GET.copy()
        for name in names:
            parameters.pop(name, None)
        return parameters
