"""Settings of a plain Django project with one DRF viewset on the table of conversations, for comparison."""

from project.settings import *  # noqa: F403

MIDDLEWARE = []
SILENCED_SYSTEM_CHECKS = ["admin.E408", "admin.E409", "admin.E410"]  # middleware of the admin
ROOT_URLCONF = "tests.benchmarks.bare_drf_urls"
