import os
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.utils.module_loading import import_string

from conversations.id_clock import follow_database
from project.time_limits import limit_statements

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
application: Any = get_asgi_application()
if apps.is_installed("conversations.responses"):
    application = import_string("conversations.responses.asgi.ResponsesApplication")(
        application, prefix=settings.API_PREFIX
    )
    application = import_string("project.model_calls.ModelCalls")(application)
limit_statements()
follow_database()
