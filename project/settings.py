"""The service's settings: the only file that reads the environment."""

import logging
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from environs import Env, EnvError, validate

from conversations import __version__
from project.secret_key import load_or_create_secret_key

BASE_DIR = Path(__file__).resolve().parent.parent

env = Env()
try:
    DEBUG = env.bool("DEBUG", False)
    BEHIND_TLS_PROXY = env.bool("BEHIND_TLS_PROXY", False)
    ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
    LOG_FORMAT = env.str("LOG_FORMAT", "plain", validate=validate.OneOf(["plain", "json"]))
    LOG_LEVEL = logging.getLevelName(env.log_level("LOG_LEVEL", logging.INFO))
    LOG_REQUESTS = env.bool("LOG_REQUESTS", False)
    METRICS_TOKEN = env.str("METRICS_TOKEN", "")
    SECRET_KEY = env.str("SECRET_KEY", "")
    DATABASE: Any = env.dj_db_url("DATABASE_URL", f"sqlite:///{BASE_DIR / 'conversations.sqlite3'}")
    DATABASE_LOCK_TIMEOUT = env.float("DATABASE_LOCK_TIMEOUT", 5)
    DATABASE_POOLER = env.str("DATABASE_POOLER", "", validate=validate.OneOf(["", "transaction"]))
    DATABASE_STATEMENT_TIMEOUT = env.float("DATABASE_STATEMENT_TIMEOUT", 30)
    DATABASE_REPLICA: Any = env.dj_db_url("DATABASE_REPLICA_URL", "") if env.str("DATABASE_REPLICA_URL", "") else {}
    CACHES = {"default": env.dj_cache_url("CACHE_URL", f"file://{BASE_DIR / 'cache'}?max_entries=100000")}
    IS_DATABASE_CHOSEN = bool(env.str("DATABASE_URL", ""))

    CORS_ALLOWED_ORIGINS: list[str] = env.list("CORS_ALLOWED_ORIGINS", [])

    PASSWORD_LOGIN = env.bool("PASSWORD_LOGIN", True)
    OIDC_ISSUER = env.str("OIDC_ISSUER", "")
    OIDC_CLIENT_ID = env.str("OIDC_CLIENT_ID", "")
    OIDC_CLIENT_SECRET = env.str("OIDC_CLIENT_SECRET", "")
    OIDC_CONNECT_EXISTING_USERS = env.bool("OIDC_CONNECT_EXISTING_USERS", False)
    OIDC_GROUPS: dict[str, str] = env.dict("OIDC_GROUPS", {})
    OIDC_GROUPS_CLAIM = env.str("OIDC_GROUPS_CLAIM", "groups")
    OIDC_SCOPES: list[str] = env.list("OIDC_SCOPES", ["openid", "profile", "email"])
    OIDC_USERNAME_CLAIM = env.str("OIDC_USERNAME_CLAIM", "preferred_username")

    CONVERSATIONS_API_KEY_SECONDS = env.float("CONVERSATIONS_API_KEY_SECONDS", 5)
    CONVERSATIONS_BODY_SECONDS = env.float("CONVERSATIONS_BODY_SECONDS", 60)
    CONVERSATIONS_DEFAULT_INCLUDE: list[str] = env.list("CONVERSATIONS_DEFAULT_INCLUDE", [])
    CONVERSATIONS_DEFAULT_PAGE_SIZE = env.int("CONVERSATIONS_DEFAULT_PAGE_SIZE", 20)
    CONVERSATIONS_EXTRA_ITEM_TYPES: list[str] = env.list("CONVERSATIONS_EXTRA_ITEM_TYPES", [])
    CONVERSATIONS_FULL_TEXT = env.bool("CONVERSATIONS_FULL_TEXT", True)
    CONVERSATIONS_MAX_BODY_BYTES = env.int("CONVERSATIONS_MAX_BODY_BYTES", 32 * 1024 * 1024)
    CONVERSATIONS_MAX_BYTES_IN_FLIGHT = env.int("CONVERSATIONS_MAX_BYTES_IN_FLIGHT", 256 * 1024 * 1024)
    CONVERSATIONS_MAX_ITEMS_PER_REQUEST = env.int("CONVERSATIONS_MAX_ITEMS_PER_REQUEST", 20)
    CONVERSATIONS_MAX_JSON_VALUES = env.int("CONVERSATIONS_MAX_JSON_VALUES", 1_000_000)
    CONVERSATIONS_POLL_SECONDS = env.float("CONVERSATIONS_POLL_SECONDS", 20)
    CONVERSATIONS_RATE_LIMIT = env.str("CONVERSATIONS_RATE_LIMIT", "")
    CONVERSATIONS_RECOGNIZE_RETRIES = env.bool("CONVERSATIONS_RECOGNIZE_RETRIES", True)
    CONVERSATIONS_RESTORE_DAYS = env.int("CONVERSATIONS_RESTORE_DAYS", 30)
    CONVERSATIONS_STAFF_CAN_READ_CONTENT = env.bool("CONVERSATIONS_STAFF_CAN_READ_CONTENT", True)
    CONVERSATIONS_UNKNOWN_ITEM_FIELDS = env.str("CONVERSATIONS_UNKNOWN_ITEM_FIELDS", "keep")
    CONVERSATIONS_UPSTREAM_API_KEY = env.str("CONVERSATIONS_UPSTREAM_API_KEY", "")
    CONVERSATIONS_UPSTREAM_CONNECT_SECONDS = env.float("CONVERSATIONS_UPSTREAM_CONNECT_SECONDS", 10)
    CONVERSATIONS_UPSTREAM_IDLE_SECONDS = env.float("CONVERSATIONS_UPSTREAM_IDLE_SECONDS", 120)
    CONVERSATIONS_UPSTREAM_MAX_BYTES = env.int("CONVERSATIONS_UPSTREAM_MAX_BYTES", 64 * 1024 * 1024)
    CONVERSATIONS_UPSTREAM_OMITTED_TYPES: list[str] = env.list("CONVERSATIONS_UPSTREAM_OMITTED_TYPES", [])
    CONVERSATIONS_UPSTREAM_SECONDS = env.float("CONVERSATIONS_UPSTREAM_SECONDS", 900)
    CONVERSATIONS_UPSTREAM_URL = env.str("CONVERSATIONS_UPSTREAM_URL", "")
    CONVERSATIONS_UPSTREAM_USERS: list[str] = env.list("CONVERSATIONS_UPSTREAM_USERS", [])
except EnvError as error:
    raise ImproperlyConfigured(str(error)) from error

if not SECRET_KEY:
    if IS_DATABASE_CHOSEN:
        raise ImproperlyConfigured('Environment variable "SECRET_KEY" is required when "DATABASE_URL" is set.')
    SECRET_KEY = load_or_create_secret_key(BASE_DIR / "secret_key")

if OIDC_ISSUER and not (OIDC_CLIENT_ID and OIDC_CLIENT_SECRET and OIDC_GROUPS):
    raise ImproperlyConfigured("OIDC_ISSUER needs OIDC_CLIENT_ID, OIDC_CLIENT_SECRET and OIDC_GROUPS.")
if OIDC_ISSUER and not find_spec("authlib"):
    raise ImproperlyConfigured('OIDC_ISSUER needs the extra "oidc": install django-conversations[server,oidc].')
if not (OIDC_ISSUER or PASSWORD_LOGIN):
    raise ImproperlyConfigured("PASSWORD_LOGIN=false needs OIDC_ISSUER, or nobody could log in.")

DATABASE_OPTIONS: dict[str, dict[str, Any]] = {
    "django.db.backends.sqlite3": {
        # BEGIN IMMEDIATE waits for the write lock, where a later upgrade would fail at once. With synchronous=FULL a
        # committed transaction survives a power failure. The write-ahead log grows while a long transaction reads, such
        # as a backup's; afterwards, SQLite cuts it to the limit.
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA journal_size_limit=16777216",
    },
    # Statements of conversations.db.prepared_cursor are prepared when a connection first executes them.
    "project.postgresql": {"prepare_threshold": 0, "connect_timeout": 5},
    "django.db.backends.mysql": {
        "charset": "utf8mb4",
        "sql_mode": "STRICT_TRANS_TABLES",
        "isolation_level": "read committed",
        "connect_timeout": 5,
    },
}
DATABASES: dict[str, dict[str, Any]] = {}
for alias, database in {"default": DATABASE, "replica": DATABASE_REPLICA}.items():
    if not database:
        continue
    if database["ENGINE"] == "django.db.backends.postgresql":
        database["ENGINE"] = "project.postgresql"
    if database["ENGINE"] not in DATABASE_OPTIONS:
        raise ImproperlyConfigured('Environment variable "DATABASE_URL" invalid: use sqlite, postgresql or mysql.')
    DATABASES[alias] = {
        **database,
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {**DATABASE_OPTIONS[database["ENGINE"]], **database.get("OPTIONS", {})},
    }
    if DATABASE_POOLER and database["ENGINE"] == "project.postgresql":
        # Each transaction may run on another server connection, so cursors and prepared statements must not outlive it.
        DATABASES[alias]["DISABLE_SERVER_SIDE_CURSORS"] = True
        DATABASES[alias]["OPTIONS"]["prepare_threshold"] = None

if DATABASE_REPLICA:
    CONVERSATIONS_REPLICA = "replica"
    DATABASE_ROUTERS = ["conversations.db.replica.ReplicaRouter"]

INSTALLED_APPS = [
    "project",
    "conversations",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "axes",
    "drf_spectacular_sidecar",  # only static files
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
]

# Without an upstream, nothing of this app is imported.
if CONVERSATIONS_UPSTREAM_URL:
    INSTALLED_APPS.append("conversations.responses")

# Middleware of your own for API requests belongs before `dispatch_api_directly`: make a
# settings module with `from project.settings import *` and `MIDDLEWARE = ["your.middleware", *MIDDLEWARE]`.
MIDDLEWARE = [
    "project.middleware.dispatch_api_directly",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "project.security.content_security_policy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

API_PREFIX = "/v1"
ROOT_URLCONF = "project.urls"

SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.0",
    "TITLE": "Conversations",
    "DESCRIPTION": "OpenAI's Conversations API, self-hosted, with a list of conversations and queries by metadata.",
    "VERSION": __version__,
    "SERVERS": [{"url": API_PREFIX}],
    "TAGS": [{"name": name} for name in ("Conversations", "Conversation items", "Conversation metadata")],
    "POSTPROCESSING_HOOKS": [],
}

if CORS_ALLOWED_ORIGINS:
    INSTALLED_APPS.append("corsheaders")
    MIDDLEWARE.insert(0, "corsheaders.middleware.CorsMiddleware")
CORS_URLS_REGEX = f"^{API_PREFIX}/"
CORS_ALLOW_HEADERS = [
    "accept",
    "api-key",
    "authorization",
    "content-type",
    "conversations-user",
    "idempotency-key",
    "openai-beta",
    "openai-organization",
    "openai-project",
    "user-agent",
    "x-client-request-id",
    "x-ms-user-isolation-key",
    # OpenAI's clients describe themselves and their retries by these.
    "x-stainless-arch",
    "x-stainless-async",
    "x-stainless-custom-event-handler",
    "x-stainless-custom-poll-interval",
    "x-stainless-helper-method",
    "x-stainless-lang",
    "x-stainless-os",
    "x-stainless-package-version",
    "x-stainless-poll-helper",
    "x-stainless-raw-response",
    "x-stainless-read-timeout",
    "x-stainless-retry-count",
    "x-stainless-runtime",
    "x-stainless-runtime-version",
    "x-stainless-stream-helper",
    "x-stainless-timeout",
]
CORS_EXPOSE_HEADERS = [
    "idempotency-replayed",
    "openai-processing-ms",
    "openai-version",
    "retry-after",
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "x-request-id",
]

# The log of requests and the metrics are on if there are observers, and cost nothing otherwise.
REQUEST_OBSERVERS = [
    *(["project.logs.log_request"] if LOG_REQUESTS else []),
    *(["project.metrics.count_request"] if METRICS_TOKEN else []),
]
if REQUEST_OBSERVERS:
    MIDDLEWARE.insert(0, "project.observation.observe_requests")

WSGI_APPLICATION = "project.wsgi.application"

# Behind a proxy that ends TLS, the admin's forms are sent with an https origin, but Django sees an http request.
CSRF_TRUSTED_ORIGINS = [f"https://{'*' if host.startswith('.') else ''}{host}" for host in ALLOWED_HOSTS if host != "*"]

if BEHIND_TLS_PROXY:
    MIDDLEWARE.insert(0, "project.security.trust_proxy")
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    # HSTS for subdomains and in browsers' lists concerns other hosts, about which the owner of the domain decides.
    SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

# The database counts failed logins, so that all processes refuse further ones. It counts by name and address, so that a
# stranger elsewhere can't lock a member of staff out.
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    *(["django.contrib.auth.backends.ModelBackend"] if PASSWORD_LOGIN else []),
    *(["project.sign_in.accounts.ProviderBackend"] if OIDC_ISSUER else []),
]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_CALLABLE = "project.security.login_name"
AXES_CLIENT_IP_CALLABLE = "project.security.client_address"
AXES_LOCKOUT_TEMPLATE = "admin/locked_out.html"
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

# The admin is in the browser's language if it is one of these; the API is in English.
LANGUAGES = [("ar", "العربية"), ("de", "Deutsch"), ("en", "English")]
LOCALE_PATHS = [BASE_DIR / "project" / "locale"]

USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"},
        "json": {"()": "project.logs.JSONFormatter"},
    },
    "filters": {"scrub_secrets": {"()": "conversations.api_key_secrets.ScrubSecrets"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["scrub_secrets"]}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": [], "level": LOG_LEVEL, "propagate": True},
        "django.server": {"handlers": [], "propagate": True},
        "project.requests": {"level": "INFO"},  # LOG_REQUESTS is the switch.
        "httpx2": {"level": "WARNING"},  # It logs every request that import_from_openai and model calls send.
        "axes": {"level": "WARNING"},  # At INFO it logs several lines for each login and logout.
    },
}
