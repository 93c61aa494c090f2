"""Captures queries of a block, the same ones whichever tests ran before."""

from typing import Self

from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.test.utils import CaptureQueriesContext


class CapturedQueries(CaptureQueriesContext):
    """Capture the queries of a block. Content types are loaded first, because Django caches them."""

    def __enter__(self) -> Self:
        load_content_types()
        return super().__enter__()


def load_content_types() -> None:
    ContentType.objects.get_for_models(*apps.get_models())
