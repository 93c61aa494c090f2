"""The query parameters of the conversation list's URL, each declared once."""

from django.contrib.admin.options import IS_POPUP_VAR, TO_FIELD_VAR
from django.contrib.admin.views.main import ALL_VAR, ERROR_FLAG, PAGE_VAR

from conversations.admin.keyset import CURSOR_PARAMETERS

# The search, as fields of the filter form. A metadata condition is one value of each of the three.
FIELD_PARAMETERS = (
    *("q", "owner", "end_user", "created_from", "created_to", "active_from", "active_to"),
    *("min_items", "max_items", "type", "tool", "status", "has", "held"),
)
CONDITION_PARAMETERS = ("metadata_key", "metadata_operator", "metadata_value")

# Choices that are saved with the user and then removed from the URL.
COLUMN_PARAMETERS = ("columns", "column_key")
SHORTCUTS_PARAMETER = "shortcuts"
PREFERENCE_PARAMETERS = (*COLUMN_PARAMETERS, SHORTCUTS_PARAMETER)

PERIOD_PARAMETER = "period"  # name of a period, which the list replaces by dates
REPLACED_PARAMETERS = (*PREFERENCE_PARAMETERS, PERIOD_PARAMETER)  # A URL with one of these redirects.

VIEW_PARAMETER = "view"  # id of the saved view that led here, or "all"
OPEN_PARAMETER = "open"  # shows the filter form with an empty row for one more condition
PATIENT_PARAMETER = "look_on"  # lets the search take `max_patient_seconds`

DJANGO_PARAMETERS = (PAGE_VAR, ERROR_FLAG, ALL_VAR)
POPUP_PARAMETERS = (IS_POPUP_VAR, TO_FIELD_VAR)

# Parameters of one visit: neither part of the search nor saved with a view.
VISIT_PARAMETERS = (*CURSOR_PARAMETERS, OPEN_PARAMETER, PATIENT_PARAMETER, *DJANGO_PARAMETERS)
UNSAVED_PARAMETERS = (*VISIT_PARAMETERS, VIEW_PARAMETER, SHORTCUTS_PARAMETER, *POPUP_PARAMETERS)

# On a conversation's page: the query string of the list that it was opened from. Django's name.
LIST_FILTERS_PARAMETER = "_changelist_filters"
