from project.settings import *  # noqa: F403

CONVERSATIONS_REDACTORS = ["tests.redactors.hide_numbers"]
