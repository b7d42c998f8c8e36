"""How Tenon starts its own command line as a child process, and what the child leaves behind.

A child imports nothing from the folder that a user works in, which may hold a ``lsp_server`` of its
own: it looks only where Tenon is installed, and its working folder is Tenon's home.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
from asyncio.subprocess import Process
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .store.paths import StorePaths

LOG_BYTES = 1_000_000
"""A log that is longer is put aside at the next start."""


def command(*arguments: str) -> list[str]:
    """``tenon …`` with this very Python."""
    return [sys.executable, "-P", "-m", "lsp_server", *arguments]


def environment(paths: StorePaths) -> dict[str, str]:
    """Ours, with what keeps the user's folder out and names the same home."""
    return {**os.environ, "PYTHONSAFEPATH": "1", "TENON_HOME": str(paths.root)}


def no_window() -> int:
    """Creation flags: on Windows no console window opens for a child."""
    if sys.platform == "win32":
        return subprocess.CREATE_NO_WINDOW
    return 0


async def end(child: Process, grace_seconds: float) -> None:
    """Have a child end, however little it wants to: its input closes, it is asked to, it is killed.

    Each of these has ``grace_seconds`` to take effect.
    """
    closing = [child.stdin.close] if child.stdin is not None else []
    for step in (*closing, child.terminate, child.kill):
        with contextlib.suppress(ProcessLookupError):
            step()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds):
                await child.wait()
                return
    await child.wait()


@dataclass(frozen=True, slots=True)
class ChildLog:
    """One child's log at ``path``; one old log is kept beside it."""

    path: Path

    def open(self) -> BinaryIO:
        """To be handed to a child as its standard error; raises ``OSError``."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # A child that runs has its own handle and writes on into the old one.
        with contextlib.suppress(OSError):
            if self.path.stat().st_size > LOG_BYTES:
                self.path.replace(self.path.with_suffix(".old.log"))
        return self.path.open("ab")

    def size(self) -> int:
        """Bytes so far."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def last_word(self, since: int) -> str:
        """What a child told its user last (``tenon: …``), from the byte ``since`` on; "" if none.

        Reads the disk.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(since)
                lines = file.read().decode("utf-8", "replace").strip().splitlines()
        except OSError:
            return ""
        said = next((line for line in reversed(lines) if line.startswith("tenon: ")), "")
        return said.removeprefix("tenon: ")
