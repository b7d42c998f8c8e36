"""What somebody who helps needs to know, as text to paste: no source text, no secrets, no names.

Paths below the user's home begin with ``~``; of the file with the engine's key only its name is
told, of an address no user and no query.
"""

import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psutil

from . import __version__
from .completion.trace import stages
from .protocol import Outcome, Status
from .settings import SECTION, ServerSettings, wire_name
from .store.paths import StorePaths

PACKAGES = ("llama-cpp-python", "pygls", "lsprotocol", "numpy", "torch", "transformers", "peft")
"""What an answer, or a training, may hang on."""
LONGEST = 300
"""Characters of one message; a longer one is cut short."""
MIB = 2**20


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known where diagnostics are asked for.

    ``settings`` None: nobody's editor asks. ``troubles`` are the last warnings and errors of the
    log, oldest first; ``editor`` is the client's name and version.
    """

    status: Status
    paths: StorePaths
    settings: ServerSettings | None = None
    troubles: Sequence[str] = ()
    editor: str = ""


def diagnostics(situation: Situation) -> str:
    """The text; measures folders, so it is for a thread. Never raises for what is not there."""
    parts = {
        "Tenon": _versions(situation),
        "State": _state(situation.status),
        "Settings that differ": _settings(situation.settings),
        "Trainer": _trainer(situation.status),
        "Last outcomes": (_outcome(entry) for entry in situation.status.recent),
        "Last warnings and errors": situation.troubles,
        "Sizes": _sizes(situation.paths),
    }
    lines: list[str] = []
    for title, found in parts.items():
        lines += ["", f"{title}:", *(f"  {_short(line)}" for line in found or ())]
        if lines[-1] == f"{title}:":
            lines[-1] += " none"
    return _without_home("\n".join(lines).strip()) + "\n"


def _versions(situation: Situation) -> Iterator[str]:
    yield f"tenon {__version__}"
    yield f"python {platform.python_version()} ({platform.python_implementation()})"
    for name in PACKAGES:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            yield f"{name}: not installed"
    memory = psutil.virtual_memory().total / MIB
    yield f"platform {platform.platform()}, {platform.machine()}"
    yield f"machine {os.cpu_count()} processors, {memory:.0f} MiB of memory"
    if situation.editor:
        yield f"editor {situation.editor}"


def _state(status: Status) -> Iterator[str]:
    engine = status.engine
    yield f"{status.state}: {status.message}"
    yield f"model {status.model or 'none'}, adapter {status.adapter or 'none'}"
    yield f"engine {engine.state}{f', process {engine.pid}' if engine.pid else ''}"
    if engine.url:
        yield f"engine at {_without_credentials(engine.url)}"
    if engine.prefill_speed:
        yield (
            f"{engine.prefill_speed:.0f} tokens/s read, {engine.decode_speed:.0f} written, "
            f"context {engine.context}"
        )
    if engine.reason:
        yield f"engine says: {engine.reason}"
    if status.last_error:
        yield f"last error: {status.last_error}"
    yield f"accepted whole {status.accepted}"


def _settings(settings: ServerSettings | None) -> Iterator[str]:
    if settings is None:
        return
    usual = ServerSettings()
    for entry in fields(settings):
        value = getattr(settings, entry.name)
        if value != getattr(usual, entry.name):
            yield f"{SECTION}.{wire_name(entry.name)} = {_shown(entry.name, value)!r}"


def _shown(name: str, value: Any) -> Any:
    if name == "engine_url":
        return _without_credentials(value)
    return Path(value).name if name == "engine_api_key_file" else value


def _trainer(status: Status) -> Iterator[str]:
    trainer = status.trainer
    if trainer is None:
        return
    yield f"{trainer.state}: {trainer.message}"
    if trainer.steps:
        yield f"step {trainer.step} of {trainer.steps}"
    yield f"pending {trainer.pending}"
    if trainer.waiting_for:
        yield f"waits for {'; '.join(trainer.waiting_for)}"
    if last := trainer.last:
        verdict = "promoted" if last.promoted else "rejected"
        yield f"last {verdict} {last.adapter}: {last.reason}"


def _outcome(outcome: Outcome) -> str:
    parts = " ".join(
        f"{name} {value:.0f}" for name, value in stages(outcome.timings).items() if name != "total"
    )
    told = f"{outcome.reason} {outcome.ms:.0f} ms"
    if parts:
        told += f" ({parts})"
    return f"{told} by {outcome.adapter}" if outcome.adapter else told


def _sizes(paths: StorePaths) -> Iterator[str]:
    yield f"home {paths.root}"
    for folder in (paths.models, paths.repositories, paths.logs):
        yield f"{folder.name} {_bytes_below(folder) / MIB:.1f} MiB"
    if paths.feedback.is_file():
        yield f"{paths.feedback.name} {paths.feedback.stat().st_size / MIB:.1f} MiB"
    try:
        yield f"free on its disk {psutil.disk_usage(str(paths.root)).free / MIB:.0f} MiB"
    except OSError as error:
        yield f"its disk cannot be looked at: {error.strerror}"


def _bytes_below(folder: Path) -> int:
    """Bytes of the files in a folder; what vanishes or cannot be read counts nothing."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(parent) / name).lstat().st_size
            except OSError:
                continue
    return total


def _without_credentials(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that is none"
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host, query="", fragment=""))


def _without_home(text: str) -> str:
    home = str(Path.home())
    return text.replace(home, "~") if len(home) > 1 else text


def _short(line: str) -> str:
    line = " ".join(line.split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"
