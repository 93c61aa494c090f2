from project.settings import *

if "replica" in DATABASES:  # noqa: F405 - the replica of the test database
    DATABASES["replica"]["TEST"] = {"MIRROR": "default"}  # noqa: F405

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# Every test client loads the middleware, and WhiteNoise would list all static files each time.
WHITENOISE_AUTOREFRESH = True
