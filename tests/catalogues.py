"""The compiled catalogues of the app's translations."""

from gettext import GNUTranslations
from pathlib import Path

import conversations

PACKAGE = Path(conversations.__file__).parent
CATALOGUES = sorted((PACKAGE / "locale").glob("*/LC_MESSAGES/django.po"))


def read(compiled: Path) -> GNUTranslations:
    with compiled.open("rb") as file:
        return GNUTranslations(file)


def texts(translations: GNUTranslations) -> dict[str | tuple[str, int], str]:
    """Return the translations by their string, or by string and number of the plural form."""
    return {key: text for key, text in translations._catalog.items() if key}
