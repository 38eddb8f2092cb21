"""Configurations the tests start from."""

from __future__ import annotations

from typing import Any

KEY = "uK3vY9wQ2rT7xB5nM8pL4sD6fG1hJ0zC+/aEiOqWUyk="
ENVIRON = {"STEPUP_SECRET_KEY": KEY}

MINIMAL = """\
service = "bank"

[identity]
provider = "header"
user = "X-Auth-User"
trusted_proxies = ["127.0.0.1"]

[[routes]]
name = "transfer"
path = "/accounts/{account}/transfer"
"""

CONTRACT = """\
service = "bank"                         # stands in every audit line

[identity]                               # who is asking? the app has already logged them in
provider = "header"
user = "X-Auth-User"                     # header name / session key / claim, as the provider needs
session = "X-Auth-Session"               # optional: the app's session id
trusted_proxies = ["127.0.0.1"]          # identity and X-Forwarded-For are believed from these peers only
login_url = "/login"                     # where an anonymous browser is sent; others get 401

[cookie]
secure = true                            # false (plain http in development) drops the __Host- prefix and warns
same_site = "strict"

[[routes]]                               # in order, first match wins
name = "transfer"
path = "/accounts/{account}/transfer"    # Starlette path syntax; {rest:path} for a whole tree
methods = ["POST"]                       # left out: every method. GET covers HEAD
risk = 60                                # base score, 0 to 100
challenge = "auto"                       # auto: by score | always | never
max_age = "5m"                           # how fresh a proof must be; the age lives on the rule, the time on the proof
grant = "route"                          # what one proof opens: request (this very request, once) | route | service
factors = ["totp", "recovery_code"]       # which proofs count, in order of preference
mode = "enforce"                         # enforce | report: log what would have happened, let it through

[risk]
challenge_at = 50
deny_at = 90
[risk.signals]                           # points added when the signal holds; each is logged by name
new_device = 20
new_network = 15
recent_failures = 10
burst = { points = 20, limit = 10, window = "1m" }
off_hours = { points = 10, hours = "22:00-06:00", timezone = "Europe/Berlin" }
large_amount = { points = 30, call = "bank.risk:large_amount" }   # your own, sync or async

[challenge]
prefix = "/_stepup"
ttl = "5m"
attempts = 5                             # per challenge; the budget of the account is in [throttle]
window = 1                               # TOTP steps of drift either way; 0 allowed
enroll = "admin"                          # no factor yet: admin (refuse) | self (enroll now, audited)
resume_max_body = "64KiB"

[throttle]
account = { failures = 5, lock = "30s", grow = 2.0, max_lock = "1h", ceiling = 100 }
address = { failures = 50, window = "10m" }

[store]
url = "sqlite:///stepup.db"

[audit]
path = "audit/stepup.jsonl"
durability = "commit"                    # commit: on stable storage before the app runs | write | async
on_failure = "deny"                      # deny | allow
user_id = "plain"                        # plain | hmac
rotate = { size = "256MiB", every = "1d" }
retain = "400d"
checkpoint = { lines = 1000, every = "1m" }
signing_key_file = "stepup-audit.key"    # Ed25519; never inside the audit folder
max_unanchored = { lines = 10000, seconds = 3600, then = "alert" }
"""


def mapping(**changes: Any) -> dict[str, Any]:
    """The minimal configuration as a mapping, with whole tables put in or, for None, taken out."""
    whole = {
        "service": "bank",
        "identity": {"provider": "session"},
        "routes": [{"name": "transfer", "path": "/accounts/{account}/transfer"}],
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}
