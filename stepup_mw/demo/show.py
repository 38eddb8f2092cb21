"""The demo from its start to Ctrl-C: the bank in its wrapping, the greeting, the audit rows, and the good-bye."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pyotp

from ..asgi import StepUpMiddleware
from ..cli.rows import format_broken, format_row
from ..cli.screen import color_mode, fields, paint, terminal_width
from ..config import load_config
from ..enrollment import enroll
from ..gate.services import Services
from ..trail.follow import Line, follow
from ..trail.report import Report
from ..trail.verify import verify_trail
from .bank import Bank
from .codes import Code, LiveLine, code_at, fit, live_line, show_code
from .folder import Home, open_home
from .server import Running, require_server, serving
from .signin import SignIn
from .site import make_app
from .welcome import Facts, rule, welcome

Echo = Callable[[str], None]

_OLD_LINES = 4


def show(*, port: int | None, folder: Path | None, echo: Echo, as_json: bool) -> int:
    """See ``stepup_mw.demo.run``."""
    require_server()
    home = open_home(folder)
    bank = Bank(home.bank)
    bank.open(home.user, home.name, home.password)
    guarded = wrap(home, bank)
    app = SignIn(guarded, secret=home.keys.session, token=home.keys.token, user=home.user)
    with _interruptible(), serving(app, port) as running:
        watch = Watch(guarded, home)
        facts = watch.facts(running.url, bank)
        if as_json:
            echo(json.dumps(asdict(facts) | {"code": watch.code_now()}, default=str))
            _follow(watch, running, echo, _raw)
        else:
            echo(welcome(facts, terminal_width(), qr=_draws(), color=_colors()))
            _follow(watch, running, echo, _row, live_line())
    report = verify_trail(facts.audit, vkey=str(home.folder / "stepup-audit.vkey"))
    echo(json.dumps({"lines": report.lines, "verdict": report.verdict}) if as_json else _good_bye(home, facts, report))
    return 0


def wrap(home: Home, bank: Bank) -> StepUpMiddleware:
    """The bank in the middleware: all that is done to it. The configuration's warnings are the demo's own choice."""
    app = make_app(bank, hint=f"{home.user} / {home.password}")
    config = load_config(home.config, os.environ)
    return StepUpMiddleware(app, config=replace(config, warnings=()))


class Watch:
    """The demo's user as the running gate knows them: the secret, and which code was taken last."""

    def __init__(self, guarded: StepUpMiddleware, home: Home) -> None:
        self._assembly = guarded.assembly
        self._home = home
        self._recovery: tuple[str, ...] = ()
        if not self._factor():
            made = self._assembly.driver.call(enroll, self._services, home.user)
            self._recovery = made.recovery_codes

    def facts(self, url: str, bank: Bank) -> Facts:
        """What the greeting tells."""
        home, settings = self._home, self._services.settings
        secret, _ = self._factor() or ("", -1)
        known = bank.sign_in(home.user, home.password)
        return Facts(
            url=url,
            user=home.user,
            password=home.password if known else "",
            secret=secret,
            uri=pyotp.TOTP(secret).provisioning_uri(name=home.user, issuer_name=settings.service),
            recovery_codes=self._recovery,
            folder=home.folder,
            audit=settings.trail.path,
        )

    def code(self) -> Code | None:
        """The code of now; None if somebody has taken the authenticator away."""
        found = self._factor()
        return code_at(found[0], time.time(), found[1]) if found else None

    def code_now(self) -> str | None:
        """The digits alone."""
        code = self.code()
        return code.digits if code is not None else None

    @property
    def trail(self) -> Path:
        return self._services.settings.trail.path

    @property
    def _services(self) -> Services:
        return self._assembly.gate.services

    def _factor(self) -> tuple[str, int] | None:
        user, services = self._home.user, self._services
        for factor in self._assembly.driver.call(services.store.factors, user):
            return services.keyring.unseal("totp", factor.sealed, user).decode("ascii"), factor.last_step
        return None


def _follow(
    watch: Watch, running: Running, echo: Echo, row: Callable[[Line], str], live: LiveLine | None = None
) -> None:
    """Rows as they are written, the code below them, until somebody interrupts or the server is gone."""
    if live is None and row is _row:
        _say_code_once(watch, echo)

    def tick() -> bool:
        if live is not None:
            _refresh(live, watch, running.url)
        return not running.is_up()

    try:
        for line in follow(watch.trail, last=_OLD_LINES, stop=tick):
            if live is not None:
                live.clear()
            echo(row(line))
    except KeyboardInterrupt:
        pass
    finally:
        if live is not None:
            live.clear()


def _refresh(live: LiveLine, watch: Watch, where: str) -> None:
    code = watch.code()
    text = show_code(code) if code is not None else "  " + paint("no authenticator: stepup enroll alice", "yellow")
    live.show(fit([text, paint(where, "cyan"), paint("Ctrl-C ends", dim=True)], terminal_width()))


def _say_code_once(watch: Watch, echo: Echo) -> None:
    code = watch.code()
    if code is not None:
        echo(f"{show_code(code)}   {paint('another: stepup code alice', dim=True)}")


def _row(line: Line) -> str:
    """As ``stepup tail`` has it, but for the address, which is always this machine's: the room is better used."""
    width = terminal_width() if sys.stdout.isatty() else None
    return format_row({**line.event, "origin": None}, width) if line.event else format_broken(line.raw, width)


def _raw(line: Line) -> str:
    """As it stands in the trail, and on a line of its own."""
    return line.raw.decode("ascii", "backslashreplace")


def _good_bye(home: Home, facts: Facts, report: Report) -> str:
    good = report.exit_code == 0
    verdict = paint(report.verdict, "green" if good else "red", bold=True)
    config = shlex.quote(str(home.config))
    pairs = [
        ("Lines", f"{report.lines} in {facts.audit}"),
        ("Verdict", f"{verdict}  {paint(report.message, dim=True)}"),
        ("Again", f"stepup verify --config {config}"),
        ("Return", f"stepup demo --folder {shlex.quote(str(home.folder))}"),
    ]
    return "\n".join(["", rule("Ended", terminal_width()), "", fields(pairs), ""])


def _draws() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def _colors() -> bool:
    mode = color_mode(os.environ)
    return sys.stdout.isatty() if mode is None else mode


@contextmanager
def _interruptible() -> Iterator[None]:
    """A polite kill ends the demo as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
