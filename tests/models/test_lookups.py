"""The same conditions by every way of asking give the same conversations as a plain look at the JSON."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversations.models import Conversation
from conversations.schema.query import All, Any, MetadataCondition, Not
