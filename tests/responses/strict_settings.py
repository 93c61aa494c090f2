from project.settings import *

CONVERSATIONS_REDACTORS = ["tests.redactors.hide_numbers"]
