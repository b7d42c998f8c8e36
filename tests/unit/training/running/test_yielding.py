"""How low a real process puts itself."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from training.running.yielding import give_way, half_of_the_cores

GIVE_WAY = """
import json, os, sys, psutil
from training.running.yielding import give_way
give_way(background=sys.argv[1] == "background")
me = psutil.Process()
idle = hasattr(me, "ionice") and me.ionice().ioclass == psutil.IOPRIO_CLASS_IDLE
print(json.dumps([me.nice(), idle, os.environ.get("OMP_NUM_THREADS")]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no nice values")
@pytest.mark.parametrize(("how", "nice"), [("terminal", 5), ("background", 19)])
def test_a_run_gives_way(how: str, nice: int):
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", GIVE_WAY, how], capture_output=True, check=True,
        cwd=Path(__file__).parents[4], env=environment,
    )  # fmt: skip
    found, idle, threads = json.loads(done.stdout)
    assert found == max(nice, psutil.Process().nice())
    background = how == "background"
    assert idle == (background and sys.platform == "linux")
    assert threads == (str(half_of_the_cores()) if background else None)


@pytest.mark.parametrize(("cores", "half"), [(1, 1), (2, 1), (3, 1), (8, 4)])
def test_half_of_the_cores_is_at_least_one(monkeypatch: pytest.MonkeyPatch, cores: int, half: int):
    monkeypatch.setattr(psutil.Process, "cpu_affinity", lambda _self: [0] * cores, raising=False)
    assert half_of_the_cores() == half


def test_nobody_climbs(monkeypatch: pytest.MonkeyPatch):
    values = []

    def nice(_self: object, value: int | None = None) -> int:
        return values.append(value) or 0 if value is not None else 12

    monkeypatch.setattr(psutil.Process, "nice", nice)
    monkeypatch.setattr(sys, "platform", "linux")
    give_way(background=False)
    assert values == [12]
