"""Runs git to read a repository that may be hostile: nothing of it is executed, fetched or changed.

A repository's own configuration can name programs for git to run (file monitors, pagers, diff and
signature programs, filters on the way into and out of the working tree, transports for objects that
a partial clone lacks). So only commands that read objects are used, never one that compares with
the working tree, and every such setting is overruled. Knows no meaning of what git answers.
"""

import os
import shutil
import subprocess
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from threading import Timer

from lsp_server.errors import TenonError

SECONDS = 60.0
"""The longest that one command may take, if its caller does not know better."""
_CHUNK = 1 << 16
_AHEAD = 32
"""Objects asked for before they are read: fewer changes of process, and small enough for a pipe."""
_OVERRULED = (
    "core.fsmonitor=false", "core.hooksPath=/dev/null", "core.quotePath=false",
    "core.preloadIndex=false", "core.pager=cat", "diff.external=", "diff.orderFile=/dev/null",
    "log.showSignature=false", "log.follow=false", "log.diffMerges=first-parent",
    "log.mailmap=false", "submodule.recurse=false", "protocol.allow=never", "color.ui=false",
)  # fmt: skip


class GitError(TenonError):
    """git did not answer in time, or could not read the repository."""


@dataclass(frozen=True, slots=True)
class Git:
    """The git executable in one folder, which need not be a repository."""

    executable: str
    root: Path

    @classmethod
    def of(cls, root: Path) -> "Git | None":
        """None if no git is installed."""
        executable = shutil.which("git")
        if executable is None:
            return None
        program, folder = Path(executable).resolve(), root.resolve()
        # Windows looks in the working folder first, which may be the repository.
        if program.is_relative_to(folder) or program.parent == Path.cwd():
            return None
        return cls(str(program) if os.name == "nt" else executable, root)

    def run(self, *arguments: str, seconds: float = SECONDS) -> bytes:
        """What a command writes, which must be little; raises ``GitError``."""
        with self._started(arguments, seconds) as process:
            return _output(process).read()

    def records(self, *arguments: str, seconds: float = SECONDS) -> Generator[bytes, None, None]:
        """What a command writes, cut at NUL, as it is written; raises ``GitError``.

        A caller that stops early ends git with it.
        """
        with self._started(arguments, seconds) as process:
            rest = b""
            while chunk := _output(process).read1(_CHUNK):
                *whole, rest = (rest + chunk).split(b"\0")
                yield from whole
            if rest:
                yield rest

    def objects(self, ids: Iterable[str], seconds: float = SECONDS) -> Iterator[bytes]:
        """The contents of objects, in order, one in memory at a time; raises ``GitError``.

        ``seconds`` count for all of them, with what the caller does between them.
        """
        arguments = ("cat-file", "--batch")
        with self._started(arguments, seconds, asks=True) as process:
            asked, answers = process.stdin, _output(process)
            if asked is None:  # it was started with a pipe
                raise GitError("git cannot be asked for objects")
            waiting: deque[str] = deque()
            left = iter(ids)
            while True:
                try:
                    for wanted in islice(left, _AHEAD - len(waiting)):
                        asked.write(f"{wanted}\n".encode())
                        waiting.append(wanted)
                    asked.flush()
                except OSError as error:
                    raise GitError("git ended before it was asked for all objects") from error
                if not waiting:
                    break
                yield _object(answers, waiting.popleft())
            asked.close()

    @contextmanager
    def _started(
        self, arguments: Iterable[str], seconds: float, *, asks: bool = False
    ) -> Iterator["subprocess.Popen[bytes]"]:
        """A command that is killed after ``seconds``, or when the caller leaves early.

        Raises ``GitError`` on the way out if it ended badly by itself, or in time's name.
        """
        settings = [part for setting in _OVERRULED for part in ("-c", setting)]
        command = [self.executable, "--no-pager", *settings, "-C", str(self.root), *arguments]
        with TemporaryFile() as complaints, ExitStack() as closing:  # a pipe would have to be read
            try:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE if asks else subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=complaints,
                    env=_environment(),
                )
            except (OSError, ValueError) as error:
                raise GitError(f"git cannot be started: {error}") from error
            timer = Timer(seconds, process.kill)
            timer.daemon = True
            timer.start()
            closing.callback(_end, process, timer)
            yield process
            code = (
                process.wait()
            )  # all that it wrote has been read, so it ends, or the timer ends it
            if code:
                complaints.seek(0)
                said = complaints.read(_CHUNK).decode("utf-8", "replace").strip().splitlines()
                why = said[-1] if said else f"it took longer than {seconds:g} s, or was ended"
                raise GitError(f"`git {next(iter(arguments))}` failed in {self.root}: {why}")


def _object(answers: BufferedReader, wanted: str) -> bytes:
    """One answer of ``cat-file --batch``."""
    head = answers.readline().split()
    if len(head) != 3:  # "<id> missing", or nothing
        raise GitError(f"git cannot read the object {wanted}; try `git fsck`")
    size = int(head[2])
    data = answers.read(size + 1)
    if len(data) != size + 1:
        raise GitError(f"git ended within the object {wanted}")
    return data[:-1]


def _end(process: "subprocess.Popen[bytes]", timer: Timer) -> None:
    timer.cancel()
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):  # what was not sent yet is lost with the process
                pipe.close()
    process.wait()


def _output(process: "subprocess.Popen[bytes]") -> BufferedReader:
    if not isinstance(process.stdout, BufferedReader):
        raise GitError("git was started without a pipe to read from")
    return process.stdout


def _environment() -> dict[str, str]:
    """The user's, without what points git elsewhere (hooks that start Tenon have such variables).

    No locks are taken, no question is asked, and no object fetched.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
