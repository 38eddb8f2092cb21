"""A club's site: Django's users, and the middleware in MIDDLEWARE."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent

SECRET_KEY = "an example: use your own, with many more letters in it"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "urls"
USE_TZ = True
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER / "site.db", "ATOMIC_REQUESTS": True},
}
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "stepup_mw.django",  # its checks; and proofs end with a log-out or a new password
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "stepup_mw.django.StepUpMiddleware",
]
SESSION_COOKIE_SAMESITE = "Strict"  # programs call this site; with forms, CsrfViewMiddleware belongs here too
STEPUP_CONFIG = FOLDER / "stepup.toml"
