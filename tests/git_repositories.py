"""Real git repositories in temporary folders, for tests; skips those without git."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

DAY = 86_400
START = 1_760_000_000
"""When the first commit was made, in seconds since the epoch."""


@dataclass
class Repository:
    root: Path
    commits: int = 0

    def git(self, *arguments: str, time: float | None = None, **env: str) -> str:
        """Runs git as its user would, without what the machine has set."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        when = f"@{int(START if time is None else time)} +0000"
        kept |= {
            "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_AUTHOR_DATE": when,
            "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.org",
            "GIT_COMMITTER_DATE": when, **env,
        }  # fmt: skip
        done = subprocess.run(
            ["git", "-C", str(self.root), *arguments], env=kept, check=True, capture_output=True
        )
        return done.stdout.decode().strip()

    def write(self, path: str, content: str | bytes) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())

    def commit(self, files: dict[str, str | bytes] | None = None, time: float | None = None) -> str:
        """Commits everything, a day after the commit before; returns the id."""
        for path, content in (files or {}).items():
            self.write(path, content)
        self.git("add", "--all")
        when = START + DAY * self.commits if time is None else time
        self.git("commit", "--allow-empty", "--message", "x", time=when)
        self.commits += 1
        return self.git("rev-parse", "HEAD")


def repository(root: Path) -> Repository:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    root.mkdir(parents=True, exist_ok=True)
    made = Repository(root)
    made.git("init", "--quiet", "--initial-branch", "main")
    return made


def code(name: str, lines: int, first: int = 0) -> str:
    """A function with ``lines`` lines that no other function has."""
    body = "".join(
        f"    {name}_{number} = compute_{name}({number})\n" for number in range(first, lines)
    )
    return f'def {name}(argument):\n    """Documents {name} as well as it can."""\n{body}'
