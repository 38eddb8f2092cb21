"""Databases made by the real libraries, each in an interpreter of its own, and what is in them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

DJANGO = """
import json, sys
import django
from django.conf import settings
from django.core.management import call_command
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[1]}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django_otp", "django_otp.plugins.otp_totp"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", USE_TZ=True, SECRET_KEY="x" * 50,
)
django.setup()
call_command("migrate", verbosity=0)
from django.contrib.auth.models import User
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_otp.oath import TOTP
people = {name: User.objects.create_user(name) for name in ("alice", "bob", "carol", "dave", "erin")}
def device(name, **more):
    return TOTPDevice.objects.create(user=people[name], name=more.pop("label", "default"), **more)
phone = device("alice", label="Alice's phone")
assert phone.verify_token(TOTP(phone.bin_key).token())
device("alice", label="tablet")
device("bob", digits=8)
device("carol", step=60)
device("dave", confirmed=False)
device("erin", t0=5)
print(json.dumps([[d.user.username, d.bin_key.hex(), d.name, d.last_t, d.confirmed] for d in TOTPDevice.objects.all()]))
"""

FLASK = """
import json, sys
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Session
from flask_security import SQLAlchemySessionUserDatastore
from flask_security.models import sqla
from flask_security.totp import Totp
class Base(DeclarativeBase):
    pass
sqla.FsModels.set_db_info(base_model=Base)
class Role(Base, sqla.FsRoleMixin):
    __tablename__ = "role"
class User(Base, sqla.FsUserMixin):
    __tablename__ = "user"
class WebAuthn(Base, sqla.FsWebAuthnMixin):  # which a user refers to where the package webauthn is installed
    __tablename__ = "web_authn"
engine = create_engine("sqlite:///" + sys.argv[1])
Base.metadata.create_all(engine)
totp = Totp({"1": "the first application secret", "2": "the second, which is newer"}, "site")
old = Totp({"0": "one that nobody has any more"}, "site")
plans = [("alice", "authenticator", totp), ("bob", "sms", totp), ("carol", None, None), ("dave", "authenticator", old)]
told = []
with Session(engine) as session:
    store = SQLAlchemySessionUserDatastore(session, User, Role)
    for name, method, maker in plans:
        user = store.create_user(email=name + "@example.com", username=name, password="x", fs_uniquifier=name)
        if method:
            secret = maker.generate_totp_secret()
            store.tf_set(user, method, totp_secret=secret)
            told.append([name, maker.get_totp_b32_key(secret)])
    session.commit()
print(json.dumps(told))
"""


def make(site: str, path: Path) -> list[list[object]]:
    """Run one of the sites on a new database; gives what it says is in it."""
    ran = subprocess.run([sys.executable, "-c", site, str(path)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    found: list[list[object]] = json.loads(ran.stdout.splitlines()[-1])
    return found
