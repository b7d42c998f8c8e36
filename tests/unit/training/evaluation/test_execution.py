"""Accidents that a candidate may have; none may reach the evaluation, nor outlive it."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from training.evaluation import execution
from training.evaluation.execution import Limits, Outcome, execute

LIMITS = Limits(seconds=20, memory=256 << 20)


@pytest.mark.parametrize(
    ("program", "outcome"),
    [
        ("assert 1 + 1 == 2", Outcome.PASSED),
        ("import math, collections\nassert __name__ == '__main__'", Outcome.PASSED),
        (
            "def f(n):\n    return f(n - 1) + 1 if n else 0\nassert f(500) == 500",
            Outcome.PASSED,
        ),
        ("print('ü' * 10)", Outcome.PASSED),
        ("assert 1 + 1 == 3", Outcome.FAILED),
        ("def broken(:", Outcome.FAILED),
        ("import sys\nsys.exit(0)", Outcome.FAILED),
        ("import sys\nsys.exit(None)", Outcome.FAILED),
        ("exit()", Outcome.FAILED),
        ("import os\nos._exit(0)", Outcome.FAILED),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)", Outcome.FAILED),
        ("def f():\n    return f()\nf()", Outcome.FAILED),
        ("input()", Outcome.FAILED),
        ("import rapidfuzz", Outcome.FAILED),
        ("\0", Outcome.FAILED),
    ],
)
async def test_only_what_gets_to_its_end_passes(program: str, outcome: Outcome):
    assert await execute(program, LIMITS) is outcome


@pytest.mark.parametrize(
    "program",
    [
        "while True: pass",
        "import time\ntime.sleep(60)",
        "while True: print('x' * 1000)",
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)",
    ],
)
async def test_a_program_without_end_is_ended(program: str):
    started = time.monotonic()
    assert await execute(program, Limits(seconds=1)) is Outcome.TIMEOUT
    assert time.monotonic() - started < 10


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
@pytest.mark.parametrize(
    "program",
    [
        "x = bytearray(1 << 30)",
        "x = []\nwhile True: x.append(bytearray(1 << 20))",
        "with open('big', 'wb') as file:\n    while True: file.write(bytes(1 << 16))",
    ],
)
async def test_memory_and_files_have_a_limit(program: str):
    assert await execute(program, LIMITS) is Outcome.FAILED


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups")
async def test_children_end_with_it(tmp_path: Path):
    program = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))\n"
    )
    assert await execute(program, Limits()) is Outcome.PASSED
    child = int((tmp_path / "pid").read_text())
    for _ in range(100):
        if not psutil.pid_exists(child) or psutil.Process(child).status() == "zombie":
            return
        await asyncio.sleep(0.05)
    pytest.fail("the child lives on")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups")
def test_a_process_id_that_another_program_got_meanwhile_is_left_alone():
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    other = subprocess.Popen(command, start_new_session=True)
    try:
        execution._end(SimpleNamespace(pid=other.pid, returncode=0))
        time.sleep(0.1)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


async def test_it_sees_neither_our_environment_nor_our_folder(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("SECRET_OF_OURS", "x")
    monkeypatch.chdir(tmp_path)
    program = (
        "import os\nassert 'SECRET_OF_OURS' not in os.environ\n"
        "assert os.listdir() == ['candidate.py']\n"
    )
    assert await execute(program, LIMITS) is Outcome.PASSED


async def test_who_is_cancelled_leaves_nothing_running():
    before = {child.pid for child in psutil.Process().children()}
    task = asyncio.create_task(execute("while True: pass", Limits(seconds=30)))
    for _ in range(1000):
        new = [child for child in psutil.Process().children() if child.pid not in before]
        if new:
            break
        await asyncio.sleep(0.01)
    assert new
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not any(child.is_running() for child in new)
