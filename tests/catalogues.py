"""The catalogues of translations of the app and of the service."""

from gettext import GNUTranslations
from pathlib import Path

ROOT = Path(__file__).parent.parent
CATALOGUES = sorted(
    path for top in ("conversations", "project") for path in ROOT.glob(f"{top}/locale/*/LC_MESSAGES/django.po")
)


def read(compiled: Path) -> GNUTranslations:
    with compiled.open("rb") as file:
        return GNUTranslations(file)


def texts(translations: GNUTranslations) -> dict[str | tuple[str, int], str]:
    """Return the translations by their string, or by string and number of the plural form."""
    return {key: text for key, text in translations._catalog.items() if key}
