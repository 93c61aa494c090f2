import os

from django.core.asgi import get_asgi_application

from project.time_limits import limit_statements

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
application = get_asgi_application()
limit_statements()
