"""One program under three names; its help, its start, its colours and how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from stepup_mw.cli.failure import describe
from stepup_mw.cli.program import COMMANDS, program
from stepup_mw.cli.screen import color_mode
from stepup_mw.errors import ConfigError, ConfigProblem, MissingExtra, StoreUnavailable

from .conftest import CONFIG, Run, write_service
from .server import clean_environ

BIN = Path(sys.executable).parent
NAMES = [[str(BIN / "stepup")], [str(BIN / "stepup-mw")], [sys.executable, "-m", "stepup_mw"]]
HEAVY = {"pydantic", "uvicorn", "gunicorn", "redis", "cryptography", "starlette", "orjson", "pyotp", "anyio", "segno"}


def spawn(command: list[str], folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    environment = {**clean_environ(), **environ}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=30, check=False)


def test_three_names_are_one_program(folder: Path) -> None:
    shown = {spawn([*name, "--help"], folder).stdout for name in NAMES}
    assert len(shown) == 1
    assert shown.pop().startswith("Usage: stepup [OPTIONS] COMMAND [ARGS]...\n")


@pytest.mark.parametrize("name", NAMES, ids=["stepup", "stepup-mw", "module"])
def test_each_name_gives_the_exit_code(folder: Path, name: list[str]) -> None:
    ran = spawn([*name, "check"], folder)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("error: 1 problem\nstepup.toml: there is no such file;")


@pytest.mark.parametrize("words", [["--help"], *([name, "--help"] for name in COMMANDS), ["--version"]], ids=" ".join)
def test_help_loads_nothing_heavy(folder: Path, words: list[str]) -> None:
    code = (
        "import sys; sys.argv[0] = 'stepup'\n"
        "from stepup_mw.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    ran = spawn([sys.executable, "-c", code, *words], folder)
    assert ran.returncode == 0, ran.stderr
    assert HEAVY & set(ran.stderr.split()) == set()


def test_tail_and_verify_with_a_path_need_no_configuration_and_no_pydantic(service: Path, stepup: Run) -> None:
    assert stepup("enroll alice").code == 0
    (service / "stepup.toml").unlink()
    for words in (["tail", "audit"], ["verify", "audit"]):
        ran = spawn([sys.executable, "-X", "importtime", "-m", "stepup_mw", *words], service)
        assert ran.returncode == 0, ran.stderr
        assert "pydantic" not in ran.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_begins_with_its_line_in_the_list(stepup: Run, name: str) -> None:
    ran = stepup(name, "--help")
    assert ran.code == 0
    usage, blank, summary, *_ = ran.out.splitlines()
    assert usage.startswith(f"Usage: stepup {name} [OPTIONS]")
    assert (blank, summary.strip()) == ("", COMMANDS[name].summary)


@pytest.mark.parametrize("name", [*COMMANDS, "audit rotate"])
def test_every_command_takes_the_common_options(name: str) -> None:
    context = click.Context(program)
    command = program.get_command(context, name.split(maxsplit=1)[0])
    for word in name.split()[1:]:
        assert isinstance(command, click.Group)
        command = command.get_command(context, word)
    assert command is not None
    options = {option for parameter in command.params for option in parameter.opts}
    assert isinstance(command, click.Group) or {"--config", "--json"} <= options


def test_the_list_names_every_command_once(stepup: Run) -> None:
    ran = stepup("--help")
    for name, entry in COMMANDS.items():
        assert ran.out.count(f"  {name.ljust(7)}  {entry.summary}") == 1
    assert stepup("").out == ran.out == stepup("-h").out


def test_version(stepup: Run) -> None:
    ran = stepup("--version")
    assert (ran.code, ran.out.split()[0]) == (0, "stepup-mw")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("enrol", "there is no command 'enrol'; did you mean 'enroll'?"),
        ("zzz", "there is no command 'zzz'"),
        ("enroll", "missing argument 'USER'"),
        ("audit prun", "no such command 'prun'"),
        ("users --nope", "no such option"),
    ],
)
def test_usage_errors(stepup: Run, words: str, message: str) -> None:
    ran = stepup(words)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"error: {message}")
    assert "\nusage: stepup" in ran.err
    told = stepup(f"{words} --json")
    error = json.loads(told.out)["error"]
    assert (told.code, told.err, error["code"], error["problems"]) == (2, "", "usage", [])
    assert error["message"].startswith(message)


@pytest.mark.parametrize(
    ("group", "some"),
    [("audit", ("prove", "prune", "repair", "rotate")), ("keys", ("rotate", "status")), ("store", ("accept",))],
)
def test_a_group_alone_is_a_usage_error_that_names_its_commands(group: str, some: tuple[str, ...], stepup: Run) -> None:
    ran = stepup(group)
    assert (ran.code, ran.out) == (2, "")
    said, usage, _ = ran.err.split("\n", 2)
    assert said.startswith("error: missing command: ")
    assert set(some) <= set(said.removeprefix("error: missing command: ").split(", "))
    assert usage == f"usage: stepup {group} [OPTIONS] COMMAND [ARGS]..."
    as_json = stepup(group, "--json")
    assert as_json.code == 2
    assert json.loads(as_json.out)["error"]["code"] == "usage"
    assert some[-1] in json.loads(as_json.out)["error"]["message"]


def test_a_trail_that_cannot_be_written_is_said_in_a_sentence(service: Path, stepup: Run) -> None:
    (service / "audit").write_text("a file where the folder would be")
    ran = stepup("audit rotate")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(
        f"error: the audit trail {service}/audit/stepup.jsonl cannot be written: Not a directory ("
    )
    assert "Errno" not in ran.err


def test_the_configuration_comes_from_the_option_then_the_environment(service: Path, stepup: Run) -> None:
    (service / "two.toml").write_text(CONFIG.replace('"bank"', '"two"'))
    (service / "three.toml").write_text(CONFIG.replace('"bank"', '"three"'))
    second = {"STEPUP_CONFIG": "two.toml"}
    runs = (
        stepup("check", "--json"),
        stepup("check", "--json", env=second),
        stepup("check", "--json", "--config", "three.toml", env=second),
    )
    assert [json.loads(ran.out)["service"] for ran in runs] == ["bank", "two", "three"]


@pytest.mark.parametrize(
    ("environ", "mode"),
    [
        ({}, None),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": ""}, None),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "0"}, None),
        ({"CLICOLOR_FORCE": "1"}, True),
        ({"CLICOLOR": "0"}, False),
        ({"CLICOLOR": "0", "CLICOLOR_FORCE": "1"}, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_color_mode(environ: dict[str, str], mode: bool | None) -> None:
    assert color_mode(environ) is mode


@pytest.mark.parametrize(
    ("environ", "colored"), [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)]
)
def test_colors_in_a_pipe(service: Path, environ: dict[str, str], colored: bool) -> None:
    write_service(service, CONFIG.replace("risk = 60", "risk = 600"))
    ran = spawn([*NAMES[0], "check"], service, **environ)
    assert ("\x1b[" in ran.stderr) is colored
    assert ("\x1b[1mstepup.toml:16:8:\x1b[0m \x1b[36mroutes[0].risk\x1b[0m:" in ran.stderr) is colored
    assert ("\x1b[" in spawn([*NAMES[0], "--help"], service, **environ).stdout) is colored


@pytest.mark.slow
def test_ctrl_c_ends_with_130_and_no_traceback(service: Path, stepup: Run) -> None:
    assert stepup("enroll alice").code == 0
    command = [*NAMES[0], "tail", "-f"]
    with subprocess.Popen(command, cwd=service, env=clean_environ(), stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout is not None
        assert "audit start" in process.stdout.readline()
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=10)
    assert (process.returncode, said.strip()) == (130, "")


def test_a_reader_that_goes_away_is_no_error(service: Path, stepup: Run) -> None:
    for _ in range(3):
        assert stepup("enroll alice --force").code == 0
    line = (service / "audit/stepup.jsonl").read_bytes()
    (service / "audit/stepup.jsonl").write_bytes(line * 400)
    command = [*NAMES[0], "tail", "-n", "100000", "--json"]
    with subprocess.Popen(command, cwd=service, env=clean_environ(), stdout=-1, stderr=-1) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        said = process.stderr.read()
    assert (process.returncode, said) == (141, b"")


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (StoreUnavailable("the store\x1b[2J is gone"), "store_unavailable", "the store\\u001b[2J is gone"),
        (MissingExtra("stepup serve (ASGI)", "uvicorn", "serve"), "missing_extra", "pip install 'stepup-mw[serve]'"),
        (PermissionError(13, "Permission denied", "x.toml"), "system", "x.toml: Permission denied"),
        (ZeroDivisionError("half"), "bug", "a bug in stepup: ZeroDivisionError: half"),
        (ConfigError((ConfigProblem(source="a", key="b", message="c"),)), "config", "a: b: c"),
    ],
)
def test_every_error_has_a_code_and_a_sentence(error: Exception, code: str, message: str) -> None:
    described = describe(error)
    assert described["code"] == code
    assert message in described["message"]


def test_a_broken_store_is_a_sentence(service: Path, stepup: Run) -> None:
    (service / "stepup.db").write_bytes(b"no database" * 1000)
    ran = stepup("users")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: ")
    assert "Traceback" not in ran.err


def test_commands_on_a_memory_store_say_why_not(service: Path, stepup: Run) -> None:
    write_service(service, CONFIG.replace("sqlite:///stepup.db", "memory://"))
    for words in ("enroll alice", "users", "revoke alice", "unlock alice", "code alice"):
        ran = stepup(words)
        assert (ran.code, ran.out) == (2, "")
        assert "store.url: memory:// lives inside the running app" in ran.err
    assert stepup("explain POST /accounts/1/transfer --user alice").code == 0


def test_code_is_refused_in_production(service: Path, stepup: Run) -> None:
    assert stepup("enroll alice").code == 0
    write_service(service, CONFIG.replace("secure = false", "secure = true"))
    ran = stepup("code alice")
    assert (ran.code, ran.out) == (2, "")
    assert "cookie.secure is true" in ran.err
    assert stepup("code alice --development").code == 0


@pytest.mark.slow
def test_a_user_name_is_utf8_in_every_locale(folder: Path) -> None:
    write_service(folder)
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    made = spawn([*NAMES[2], "enroll", "älice", "--json"], folder, **plain)
    assert (made.returncode, json.loads(made.stdout)["user"]) == (0, "älice")
    for words in (
        ["users"],
        ["tail", "--user", "älice"],
        ["code", "älice"],
        ["explain", "GET", "/x", "--user", "älice"],
    ):
        shown = spawn([*NAMES[2], *words], folder, **plain)
        assert (shown.returncode, shown.stderr.count("rror")) == (0, 0)
    bad = subprocess.run(
        [*NAMES[2], "unlock", b"\xff"], cwd=folder, env=clean_environ(), capture_output=True, timeout=30, check=False
    )
    assert (bad.returncode, b"a user name is text in UTF-8" in bad.stderr) == (2, True)
