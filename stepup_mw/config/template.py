"""The text of a first ``stepup.toml``: what must be decided stands live, the rest as comments with its default."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from ..encoding import safe_text

SECRET_FILE = "stepup.secret"  # noqa: S105  (the name of a file)
SIGNING_FILE = "stepup-audit.key"
VKEY_FILE = "stepup-audit.vkey"
CONFIG_FILE = "stepup.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A route of an app that looks sensitive. ``path`` is in Starlette's syntax; no methods means every method.
    ``why``: a line of comment above it."""

    name: str
    path: str
    methods: tuple[str, ...] = ()
    risk: int = 60
    why: str = ""


EXAMPLE = Proposal(name="transfer", path="/accounts/{account}/transfer", methods=("POST",))


def render_config(service: str, routes: Sequence[Proposal] = (), public: Sequence[tuple[str, str]] = ()) -> str:
    """A commented configuration, with these routes or one example. ``public``: entries of check.public, and why."""
    tables = "\n".join(_route(route, explained=index == 0) for index, route in enumerate(routes or (EXAMPLE,)))
    tail = _TAIL.replace("@public@", _public(public) if public else _NO_PUBLIC)
    return _HEAD.replace("@service@", _quote(service)) + tables + tail


def _public(entries: Sequence[tuple[str, str]]) -> str:
    lines = [f"  {_quote(entry)},  # {_comment(why)}" for entry, why in entries]
    return "\n".join(
        ["[check]  # for `stepup check --app`: routes that change state and need no rule", "public = [", *lines, "]\n"]
    )


def _comment(text: str) -> str:
    """One printable line."""
    return safe_text(text, 200)


def _route(route: Proposal, *, explained: bool) -> str:
    lines = [f"# {_comment(route.why)}"] if route.why else []
    lines += ["[[routes]]", f"name = {_quote(route.name)}", f"path = {_quote(route.path)}"]
    if route.methods:
        lines.append(f"methods = [{', '.join(_quote(method) for method in route.methods)}]")
    lines.append(f"risk = {route.risk}")
    if explained:
        lines[2 + bool(route.why)] += "  # Starlette path syntax; {rest:path} for a whole tree"
        lines[-1] += "  # 0 to 100; from risk.challenge_at on, a code is asked for"
        lines += _ROUTE_NOTES
    return "\n".join(lines) + "\n"


def _quote(value: str) -> str:
    """A TOML basic string; JSON's escapes are a subset of TOML's, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


_ROUTE_NOTES = (
    '# challenge = "auto"  # auto: by score | always | never',
    '# max_age = "5m"      # how fresh a proof must be',
    '# grant = "route"     # what one proof opens: request (this very request, once) | route | service',
    '# factors = ["totp", "recovery_code"]',
    '# stream_max_age = "10m"  # how old the proof of a WebSocket or a long answer may grow; left out: no end',
    '# show = ["to", "amount"]  # fields of the form that the page names before it is sent after the code',
    '# mode = "enforce"    # report: log what would have happened, let it through',
)

_NO_PUBLIC = """\
# [check]                # for `stepup check --app`
# public = ["POST /login"]  # routes that change state and need no rule
"""

_HEAD = """\
# Which requests need a fresh proof, and where the audit trail goes.
# `stepup check` tells you what is wrong in here; lines that begin with "# key =" show the defaults.

service = @service@  # stands in every audit line
secret_key_file = "stepup.secret"  # or STEPUP_SECRET_KEY in the environment, which goes first

[identity]  # who is asking? your app, or the proxy before it, has logged them in
provider = "header"  # header | scope_user | session | remote_user | jwt | flask | django | "package.module:callable"
user = "X-Auth-User"
# session = "X-Auth-Session"      # the app's session id, where there is one
trusted_proxies = ["127.0.0.1"]  # identity headers are believed from these addresses only
# forwarded_header = "both"       # both | x-forwarded-for | forwarded: the one your proxies write
# login_url = "/login"            # where an anonymous browser is sent; others get 401
# An OpenID provider's access tokens: provider = "jwt", jwks = "https://id.example/jwks" (or a file), issuer = …,
# and audience = …; what in them is a proof: acr = ["urn:mfa"], amr = ["otp", "hwk"], or both

# The sensitive routes, in order; the first match wins. Everything else passes untouched.

"""

_TAIL = """
[risk]
challenge_at = 50  # ask for a code from this score on
deny_at = 90       # refuse from this score on

[risk.signals]  # points added to the route's risk when the signal holds
new_device = 20
new_network = 15
recent_failures = 10
# burst = { points = 20, limit = 10, window = "1m" }
# off_hours = { points = 10, hours = "22:00-06:00", timezone = "Europe/Berlin" }
# new_country = 25        # needs [geo]
# impossible_travel = 40  # needs [geo] with a database of cities
# address_list = { points = 40, files = ["lists/tor-exits.txt"] }  # read again when it changes
# large_amount = { points = 30, call = "bank.risk:large_amount" }  # your own function, sync or async

[cookie]
secure = true  # false for plain http in development
# same_site = "strict"

[store]
url = "sqlite:///stepup.db"

[audit]
path = "audit/stepup.jsonl"
signing_key_file = "stepup-audit.key"  # signs checkpoints; `stepup verify` checks them with stepup-audit.vkey
# durability = "commit"  # commit: on stable storage before the app runs | write | async
# on_failure = "deny"    # when a line cannot be written: deny | allow
# user_id = "plain"      # plain | hmac (a keyed hash; `stepup audit user-ids alice` finds hers)
# ip = "full"            # full | truncated (to the /24 or /48)
# rotate = { size = "256MiB", every = "1d" }
# checkpoint = { lines = 1000, every = "1m" }
# max_unanchored = { lines = 10000, seconds = 3600, then = "alert" }  # alert | deny (503 beyond it)
# [[audit.anchor]]       # where checkpoints go so that this host cannot take them back
# kind = "s3"            # s3 (Object Lock) | rfc3161 (url, ca_file) | witness (url, key) | stdout
# bucket = "audit-worm"  # `stepup check --worm` tries whether its locks hold
# what = ["checkpoints", "segments"]

# [challenge]
# prefix = "/_stepup"    # where the package's own pages live
# ttl = "5m"             # how long a challenge waits for its code
# attempts = 5           # codes to try in one challenge
# window = 1             # TOTP steps of drift either way, 0 to 2
# resume_max_body = "64KiB"  # the largest form kept for after the code
# form_max_age = "30m"   # how long after it was shown a form with a token still passes
# enroll = "admin"       # no factor yet: admin (refuse) | self (enroll now) | "grace until 2027-01-31"

@public@
# [notices]  # tell people of changed factors, used recovery codes, locks, new devices, codes sent twice
# on_notice = "bank.mail:send"  # your own function, sync or async
# webhook = "https://bank.example/hooks/stepup"
# webhook_key_file = "stepup-webhook.key"  # signs as Standard Webhooks has it

# [page]                 # the pages people see; English and German, by the browser's language
# accent = "#0b57d0"     # buttons and links
# logo = "logo.svg"
# support = "Call the help desk, 1234"
# language = "en"        # where the browser asks for none that is spoken
# templates = "pages"    # a folder whose challenge.html, layout.html, de.toml … go before this package's
# [geo]
# database = "GeoLite2-City.mmdb"     # any MMDB file; "iptocc": a table of countries that needs no file
# asn_database = "GeoLite2-ASN.mmdb"  # one more, for what the first does not know

# [device]
# describe = false  # true: the browser in words, as origin.client

# [passkeys]  # factors = ["passkey", "totp"] in a rule then takes them; ["passkey"] takes nothing that can be phished
# rp_id = "bank.example"                 # the domain; it cannot be changed without losing them
# origins = ["https://bank.example"]

# [throttle]  # wrong codes of one account, and from one address
# account = { failures = 5, lock = "30s", grow = 2.0, max_lock = "1h", ceiling = 100 }
# address = { failures = 50, window = "10m" }

# [flow]  # services behind one another; a key that they share: key_file = "flow.secret", or STEPUP_FLOW_KEY
# send = false           # the app's request has the header Step-Up-Flow, to be handed on to the services behind
# ttl = "1m"
"""
