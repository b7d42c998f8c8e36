"""Cores that a process may not run on are not counted."""

import psutil
import pytest

from lsp_server.cores import physical_cores, usable_cores


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight cores with two threads each."""
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 16 if logical else 8)


@pytest.mark.parametrize(("may_use", "usable", "physical"), [(16, 16, 8), (4, 4, 4), (1, 1, 1)])
def test_a_cpuset_bounds_what_is_counted(
    monkeypatch: pytest.MonkeyPatch, machine: None, may_use: int, usable: int, physical: int
) -> None:
    monkeypatch.setattr(
        psutil.Process, "cpu_affinity", lambda _self: list(range(may_use)), raising=False
    )
    assert usable_cores() == usable
    assert physical_cores() == physical


def test_an_unknown_number_of_physical_cores_is_that_of_logical_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 4 if logical else None)
    monkeypatch.setattr(psutil.Process, "cpu_affinity", lambda _self: [0, 1, 2], raising=False)
    assert physical_cores() == 3
