"""Runs a candidate program with its tests in a process of its own, within limits.

This guards against accidents: endless loops, too much memory, too much output. It is no sandbox:
the program can read and write whatever the user can. So nothing is ever run unless the user asked
for it.
"""

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

PASSED_STATUS = 86
"""Told only behind the program's last line: a program that exits early has not passed."""
CANDIDATE = "candidate.py"
# Limits are set in the child, before the candidate's code: between fork and exec is no safe place.
_BOOTSTRAP = f"""
import os, sys
memory, seconds, size = (int(text) for text in sys.argv[1:])
try:
    import resource
except ImportError:
    pass  # Windows has no such limits; the clock on the wall is all there is
else:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
with open({CANDIDATE!r}, encoding="utf-8") as file:
    code = file.read()
exec(compile(code, {CANDIDATE!r}, "exec"), {{"__name__": "__main__"}})
os._exit({PASSED_STATUS})
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """``seconds`` on the wall and of processor time; ``memory`` and each file's size in bytes."""

    seconds: float = 10.0
    memory: int = 1 << 30
    file_size: int = 1 << 20


class Outcome(StrEnum):
    """How a program ended."""

    PASSED = "passed"
    FAILED = "failed"
    TIMEOUT = "timeout"


async def execute(program: str, limits: Limits) -> Outcome:
    """Run a Python program; it passes if it gets beyond its last line.

    In an empty folder, without input, environment or installed packages; its output is thrown
    away. Whatever it started in its own process group ends with it.
    """
    with tempfile.TemporaryDirectory(prefix="tenon-run-", ignore_cleanup_errors=True) as folder:
        (Path(folder) / CANDIDATE).write_text(program, "utf-8", "replace")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", "-B", "-c", _BOOTSTRAP,
            str(limits.memory), str(int(limits.seconds) + 1), str(limits.file_size),
            cwd=folder,
            env=_environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=os.name != "nt",
        )  # fmt: skip
        try:
            async with asyncio.timeout(limits.seconds):
                status = await process.wait()
        except TimeoutError:
            return Outcome.TIMEOUT
        finally:
            _end(process)
            await process.wait()
    return Outcome.PASSED if status == PASSED_STATUS else Outcome.FAILED


def _environment() -> dict[str, str]:
    """Nothing; Windows cannot start a program without knowing where it is installed itself."""
    kept = ("SYSTEMROOT",) if os.name == "nt" else ()
    return {name: os.environ[name] for name in kept if name in os.environ}


def _end(process: asyncio.subprocess.Process) -> None:
    """Kill the process and what it started, if anything of it is left."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            if process.returncode is None:
                process.kill()
        elif process.returncode is None or not _exists(process.pid):
            os.killpg(process.pid, signal.SIGKILL)


def _exists(pid: int) -> bool:
    """Whether another program got the id of a process that has ended.

    As long as anything of its group is left, none can.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
