"""The three apps that every story is played in: the demo's bank, the Flask board and the FastAPI payments.

Each is served once a run, as it is but for what ``CONFIGURED`` adds, and has somebody new for every story: codes are
used up, and accounts are locked. What differs between them is here; the stories are written once.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyotp

from stepup_mw.demo.bank import Bank
from stepup_mw.demo.folder import open_home
from stepup_mw.trail.verify import verify_trail

from ..couriers.inbox import KEY_TEXT, Inbox, receiving
from ..demo.running import running
from ..examples.serving import GUNICORN, UVICORN, Example, copy_example, served
from ..servers import free_port
from .chromium import Person
from .forms import FORMS, INVOICE, Form

ANY = 'factors = ["totp", "recovery_code", "passkey"]'
CONFIGURED = """
[[routes]]  # nothing that can be phished opens it
name = "vault"
path = "/vault"
risk = 60
factors = ["passkey"]

[[routes]]
name = "<script>hacked=1</script>"
path = "/notes/{{rest:path}}"
challenge = "always"
show = ["to", "\\"><img src=x onerror=hacked=1>"]

[challenge]
enroll = "self"
resume_max_body = "{most}"

[page]
support = "Call the help desk, 1234."

[passkeys]
rp_id = "localhost"
origins = ["http://localhost:{port}"]
"""
NOTICES = """
[notices]
on_notice = "told:hear"
webhook = "{url}"
webhook_key_file = "hook.key"
"""
TOLD = """
import json
from pathlib import Path

FOLDER = Path(__file__).parent


def hear(notice):
    if notice.user in (FOLDER / "deaf").read_text().split():
        raise RuntimeError("nobody listens")
    with (FOLDER / "heard").open("a") as file:
        file.write(json.dumps([notice.user, notice.kind]) + "\\n")
"""
ENROLL = """
import json, sys
from stepup_mw.compose import assemble
from stepup_mw.enrollment import enroll

assembly = assemble("stepup.toml")
for user in sys.argv[1:]:
    made = assembly.driver.call(enroll, assembly.gate.services, user)
    print(json.dumps([user, made.secret, *made.recovery_codes]))
assembly.close()
"""
PEOPLE = 40
_SIZE = {"16KiB": 20_000, "512B": 700}


@dataclass(frozen=True, kw_only=True)
class User:
    """Somebody of an app's, with the secret of their authenticator, "" for none, and their recovery codes."""

    name: str
    secret: str = ""
    recovery_codes: tuple[str, ...] = ()

    def code(self, *, steps: int = 0) -> str:
        return pyotp.TOTP(self.secret).at(time.time() + 30 * steps)

    def wrong(self) -> str:
        """Right at no time near now."""
        near = {self.code(steps=steps) for steps in range(-25, 26)}
        return next(code for code in ("000000", "111111", "222222") if code not in near)


@dataclass(kw_only=True)
class App:
    """``page``: a GET that asks for a code, and ``page_said`` what it says then; ``call``: path and body of a POST that
    a ``fetch`` makes, which asks for one, too, and ``call_said`` what answers it,
    with ``call_status``; ``most``: of a form that is kept."""

    name: str
    url: str
    example: Example
    inbox: Inbox
    forms: dict[str, Form]
    page: str
    page_said: str
    call: tuple[str, Any]
    call_said: str
    call_status: int = 201
    most: str = "16KiB"
    names: int = 0
    waiting: list[User] = field(default_factory=list)

    def newcomer(self) -> User:
        """Somebody with nothing yet."""
        self.names += 1
        user = User(name=f"newcomer-{self.names}")
        self.open(user.name)
        return user

    def user(self) -> User:
        """Somebody with an authenticator and recovery codes, whom no other story knows."""
        if not self.waiting:
            self.enroll()
        user = self.waiting.pop()
        self.open(user.name)
        return user

    def enroll(self, *strange: str) -> None:
        """Many at once, as the command does: one would take a second each. Whoever is named comes first."""
        names = [f"alice-{self.names + number}" for number in range(1, PEOPLE + 1)]
        self.names += PEOPLE
        names = list(strange) or names
        said = self.example.python("-c", ENROLL, *names).splitlines()
        for name, secret, *codes in map(json.loads, said):
            self.waiting.append(User(name=name, secret=secret, recovery_codes=tuple(codes)))

    def open(self, user: str) -> None:
        """What the app itself has to know of somebody."""

    def sign_in(self, somebody: Person, user: User) -> None:
        """As the example's page does, for anybody."""
        done = somebody.context.request.post(f"{self.url}/sign-in/{user.name}", max_redirects=0)
        assert done.status in (302, 303)

    def did(self, user: User, text: str) -> int:
        """How often the app has done what a form with that text is for."""
        raise NotImplementedError

    def plant(self, user: User, text: str) -> tuple[str, dict[str, str]]:
        """Where a hostile page would send a form of this app's, and its fields."""
        raise NotImplementedError

    def taken(self) -> int:
        """How often messages were taken away from the board."""
        raise NotImplementedError

    def call_of(self, user: User) -> list[Any]:  # noqa: ARG002 - where the call names them
        """Path and body of the call that somebody makes."""
        return list(self.call)

    def said_file(self) -> str:
        return f"{INVOICE['name']}, {len(INVOICE['buffer'])} bytes"

    def too_much(self) -> str:
        """A text that is over the cap of what is kept."""
        return "a long text that nobody types again ".ljust(_SIZE[self.most], "x")

    def lines(self, user: User | None = None) -> list[dict[str, Any]]:
        trail = self.example.folder / "audit" / "stepup.jsonl"
        lines = [json.loads(line) for line in trail.read_bytes().split(b"\n")[:-1]]
        return [line for line in lines if user is None or line.get("user_id") == user.name]

    def step_ups(self, user: User | None = None) -> list[dict[str, Any]]:
        return [line for line in self.lines(user) if line["event_type"] == "step_up"]

    def story(self, user: User) -> list[str]:
        return [f"{line['phase']}/{line['status']}" for line in self.step_ups(user)]

    def told(self, user: User, *wanted: str) -> None:
        """These are the step-up lines of somebody's, once the last has come."""
        self.wait(lambda: self.story(user) == list(wanted), lambda: self.story(user))

    def on_record(self, user: User, event_type: str, *wanted: str) -> None:
        """These lines of another type, in this order."""

        def found() -> list[str]:
            return [line["phase"] for line in self.lines(user) if line["event_type"] == event_type]

        self.wait(lambda: found() == list(wanted), found)

    def wait(self, holds: Callable[[], bool], explain: Callable[[], Any] = str) -> None:
        """What is written after the answer, or by another thread, comes a little later."""
        until = time.monotonic() + 10
        while not holds():
            assert time.monotonic() < until, explain()
            time.sleep(0.03)

    def bases(self, user: User) -> list[str]:
        """By what each request was let through, the details where there are some: ``grant form_token``."""
        lines = [line for line in self.step_ups(user) if (line["phase"], line["status"]) == ("access", "allowed")]
        return [" ".join(filter(None, (line["proof"]["basis"], line["detail"]))) for line in lines]

    def details(self, user: User) -> list[str]:
        """What the lines add, but for which authenticator it was."""
        found = [line["detail"] for line in self.step_ups(user) if line["detail"]]
        return [detail for detail in found if not detail.startswith("authenticator:")]

    def heard(self, user: User) -> list[str]:
        """The kinds of notice that ``on_notice`` was called with for somebody."""
        said = self.example.folder / "heard"
        told = [json.loads(line) for line in said.read_text().splitlines()] if said.exists() else []
        return [kind for name, kind in told if name == user.name]


class BankApp(App):
    def open(self, user: str) -> None:
        """An account holder as alice is, with the same password; ids of accounts are one person's."""
        with closing(sqlite3.connect(self.example.folder / "bank.db", timeout=10)) as db, db:
            db.execute("insert into people select ?1, ?1, salt, hash from people where user = 'alice'", (user,))
            db.execute(
                "insert into accounts select id || '-' || ?1, ?1, label, iban, cents, closed from accounts"
                " where user = 'alice' and closed = 0",
                (user,),
            )

    def sign_in(self, somebody: Person, user: User) -> None:
        page = somebody.page
        page.goto("/login")
        page.get_by_label("User").fill(user.name)
        page.get_by_label("Password").fill("open-sesame")
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/")

    def did(self, user: User, text: str) -> int:
        query = "select count(*) from entries where account = ? and who = ?"
        with closing(sqlite3.connect(self.example.folder / "bank.db")) as db:
            return int(db.execute(query, (f"everyday-{user.name}", text)).fetchone()[0])

    def plant(self, user: User, text: str) -> tuple[str, dict[str, str]]:
        return "/transfer/send", {"from": f"everyday-{user.name}", "to": text, "amount": "25.00"}

    def call_of(self, user: User) -> list[Any]:
        path, body = self.call
        return [path, {**body, "from": f"everyday-{user.name}"}]


class BoardApp(App):
    def plant(self, user: User, text: str) -> tuple[str, dict[str, str]]:  # noqa: ARG002 - the board is everybody's
        return "/wipe", {"why": text}

    def taken(self) -> int:
        """Each takes three messages."""
        return -len(self.messages()) // 3

    def did(self, user: User, text: str) -> int:  # noqa: ARG002 - everybody's board
        return sum(said.startswith(f"Wiped: {text}") for said in self.messages())

    def messages(self) -> list[str]:
        return [str(text) for (text,) in self.example.rows("board.db", "select text from messages")]


class PaymentsApp(App):
    def plant(self, user: User, text: str) -> tuple[str, dict[str, str]]:  # noqa: ARG002 - the list is everybody's
        return "/payroll", {"payments": f"{text} 20"}

    def did(self, user: User, text: str) -> int:  # noqa: ARG002 - everybody's list
        if not (self.example.folder / "payments.db").exists():
            return 0
        return sum(str(to).startswith(text) for to, _ in self.example.rows("payments.db", "select * from payments"))


def _configure(example: Example, port: int, most: str) -> None:
    """What ``CONFIGURED`` has, after the app's own settings; and passkeys count for each of its rules."""
    file = example.folder / "stepup.toml"
    text = file.read_text()
    for risk in ("risk = 60\n", 'challenge = "always"\n'):
        text = text.replace(risk, f"{risk}{ANY}\n")
    file.write_text(text + CONFIGURED.format(port=port, most=most))
    (example.folder / "told.py").write_text(TOLD)
    (example.folder / "deaf").touch()
    (example.folder / "hook.key").write_text(KEY_TEXT)
    (example.folder / "hook.key").chmod(0o600)


def _notice(app: App) -> None:
    """Only from here on: of people who are enrolled beforehand nobody has to hear."""
    app.enroll()
    with (app.example.folder / "stepup.toml").open("a") as settings:
        settings.write(NOTICES.format(url=app.inbox.url))


@contextmanager
def serving(name: str, folder: Path) -> Iterator[App]:
    """The app of that name on a port of ``localhost``; at its end the whole trail is verified."""
    port = free_port()
    with ExitStack() as stack:
        inbox = stack.enter_context(receiving())
        begin = {"demo": _demo, "flask": _flask, "fastapi": _fastapi}[name]
        app = begin(folder, f"http://localhost:{port}", inbox)
        _configure(app.example, port, app.most)
        _notice(app)
        if name == "demo":
            stack.enter_context(running(folder, port, PYTHONPATH=str(folder)))
        else:
            server = GUNICORN if name == "flask" else UVICORN
            bound = [
                f"127.0.0.1:{port}" if word == "127.0.0.1:0" else str(port) if word == "0" else word for word in server
            ]
            stack.enter_context(served(app.example, bound))
        yield app
    report = verify_trail(folder / "audit" / "stepup.jsonl")
    assert report.exit_code in (0, 3), report.message


def _demo(folder: Path, url: str, inbox: Inbox) -> App:
    home = open_home(folder)
    Bank(home.bank).open(home.user, home.name, home.password)
    example = Example(folder=folder, environ=os.environ | {"NO_COLOR": "1"})
    call = ("/api/transfers", {"to": "Carol", "amount": 20})
    return BankApp(
        name="demo", url=url, example=example, inbox=inbox, forms=FORMS["demo"], page="/password",
        page_said="Change the password", call=call, call_said='"to":"Carol"', most="512B",
    )  # fmt: skip


def _flask(folder: Path, url: str, inbox: Inbox) -> App:
    example = copy_example("flask_board", folder)
    return BoardApp(
        name="flask", url=url, example=example, inbox=inbox, forms=FORMS["flask"], page="/export",
        page_said="[", call=("/export", {}), call_said="[", call_status=200,
    )  # fmt: skip


def _fastapi(folder: Path, url: str, inbox: Inbox) -> App:
    example = copy_example("fastapi_payments", folder)
    return PaymentsApp(
        name="fastapi", url=url, example=example, inbox=inbox, forms=FORMS["fastapi"], page="/payroll",
        page_said="A payment a line", call=("/payments", {"to": "Carol", "amount": 20}),
        call_said='"to":"Carol"',
    )  # fmt: skip
