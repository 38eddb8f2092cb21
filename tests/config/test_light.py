from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["stepup_mw.settings", "stepup_mw.config"])
def test_importing_loads_no_machinery_until_a_configuration_is_read(module: str) -> None:
    script = (
        f"import sys, {module}\n"
        "heavy = {'pydantic', 'spanned_toml', 'tomllib', 'cryptography', 'starlette', 'click', 'redis'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_only_the_configuration_imports_pydantic() -> None:
    script = (
        "import sys\n"
        "from stepup_mw.config import load_config\n"
        "from tests.config.samples import ENVIRON, mapping\n"
        "load_config(mapping(), ENVIRON)\n"
        "print('pydantic' in sys.modules, 'spanned_toml' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True True"
