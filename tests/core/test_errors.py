"""The error tree, as its module tells it, is all there is."""

from __future__ import annotations

from stepup_mw import errors


def test_the_tree_names_every_error_once_and_every_code_is_its_own() -> None:
    kinds = [found for found in vars(errors).values() if isinstance(found, type)]
    every = {found.__name__: found for found in kinds if issubclass(found, errors.StepUpError)}
    told = [line.split("─ ")[1].split()[0] for line in (errors.__doc__ or "").splitlines() if "─ " in line]
    assert sorted(told) == sorted(every.keys() - {"StepUpError"})
    assert len({found.code for found in every.values()}) == len(every)
