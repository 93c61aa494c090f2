import os

from django.core.asgi import get_asgi_application

from conversations.id_clock import follow_database
from project.time_limits import limit_statements

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
application = get_asgi_application()
limit_statements()
follow_database()
