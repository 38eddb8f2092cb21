from __future__ import annotations

import subprocess
import sys

import pytest

from .samples import ENVIRON, mapping


@pytest.mark.parametrize("module", ["stepup_mw.settings", "stepup_mw.config"])
def test_importing_loads_no_machinery_until_a_configuration_is_read(module: str) -> None:
    script = (
        f"import sys, {module}\n"
        "heavy = {'pydantic', 'spanned_toml', 'tomllib', 'cryptography', 'starlette', 'click', 'redis'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_reading_one_loads_it() -> None:
    script = (
        "import sys\n"
        "from stepup_mw.config import load_config\n"
        f"load_config({mapping()!r}, {ENVIRON!r})\n"
        "print('pydantic' in sys.modules, 'spanned_toml' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True True"
