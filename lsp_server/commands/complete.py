"""``tenon complete PATH:LINE:COL``: one completion in a shell, as the editor would get it."""

import argparse
import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec
from lsprotocol import types

from ..adapter_loading import AdapterLoader
from ..completion.provider import Completion
from ..documents import offset_of, units
from ..edits import Request
from ..engine.launcher import EngineOptions
from ..engine.supervisor import EngineSupervisor
from ..errors import DocumentError, EngineError, SettingsError
from ..session.explaining import explain
from ..session.session import Session
from ..store.index import RepositoryIndex
from ..store.paths import StorePaths
from ..store.repositories import RepositoryStore
from ..store.rules import FILE_NAME, Rules
from .explanation import print_explanation
from .starter import bring_starter

LOADING_SECONDS = 180.0
UTF16 = types.PositionEncodingKind.Utf16


@dataclass(frozen=True, slots=True)
class Target:
    """A place in a file; line and column count from 1, columns in UTF-16 units as in VS Code."""

    path: Path
    line: int
    column: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the place and the form of the answer."""
    parser.add_argument(
        "target",
        metavar="PATH:LINE:COL",
        type=parse_target,
        help="line and column count from 1, columns in UTF-16 units",
    )
    parser.add_argument("--json", action="store_true", help="text, model, adapter, reason, timings")
    parser.add_argument(
        "--why",
        action="store_true",
        help="tell besides what was sent, and what became of the answer",
    )


def run(options: argparse.Namespace) -> int:
    """Print the completion; returns 0 also where there is none, 1 where the engine failed."""
    text = read_document(options.target)
    completion = asyncio.run(complete(options.target, text, StorePaths.default()))
    why = explain(completion, options.target.path.as_posix(), options.target.line)
    if options.json:
        told = {"why": msgspec.to_builtins(why)} if options.why else {}
        print(json.dumps(as_json(completion) | told))
    elif options.why:
        print_explanation(why)
    elif completion.text:
        print(completion.text)
    if completion.error is not None:
        print(f"tenon: {completion.error}", file=sys.stderr)
        return 1
    if not completion.text and not (options.json or options.why):
        print(f"tenon: no completion here. {completion.reason.sentence}", file=sys.stderr)
    return 0


def as_json(completion: Completion) -> dict[str, object]:
    """The public fields, whose names do not change."""
    return {
        "text": completion.text,
        "model": completion.model,
        "adapter": completion.adapter,
        "reason": str(completion.reason),
        "timings": completion.timings,
    }


def parse_target(text: str) -> Target:
    """``PATH:LINE:COL``, read from the right: a Windows path has a colon of its own."""
    parts = text.rsplit(":", 2)
    if len(parts) != 3 or not all(number.isdecimal() and int(number) > 0 for number in parts[1:]):
        raise argparse.ArgumentTypeError(f"{text!r} is no PATH:LINE:COL, such as src/app.py:42:9")
    return Target(Path(parts[0]), int(parts[1]), int(parts[2]))


def read_document(target: Target) -> str:
    """The file's text; raises DocumentError if there is none or it has no such place."""
    try:
        data = target.path.read_bytes()
    except OSError as error:
        raise DocumentError(
            f"{target.path} cannot be read: {error.strerror or error}; give the path of a text file"
        ) from error
    text = data.decode("utf-8", "replace")
    text = text.removeprefix("\ufeff")  # an editor does not count the byte order mark either
    if "\0" in text:
        raise DocumentError(f"{target.path} is a binary file; completions are for text")
    start = offset_of(text, types.Position(target.line - 1, 0), UTF16)
    if start is None:
        count = len(text.splitlines()) or 1
        raise DocumentError(
            f"{target.path} has {count} lines, so there is no line {target.line}; "
            "lines count from 1"
        )
    end = offset_of(text, types.Position(target.line - 1, 2**31 - 1), UTF16)
    columns = units(text[start:end], UTF16) + 1
    if target.column > columns:
        raise DocumentError(
            f"line {target.line} of {target.path} ends at column {columns}, "
            f"so there is no column {target.column}"
        )
    return text


async def complete(target: Target, text: str, paths: StorePaths) -> Completion:
    """Ask the user's engine, which is started if need be; raises ``TenonError``."""
    await bring_starter(paths, lambda entry: print(f"tenon: {entry.arriving}", file=sys.stderr))
    session = Session(lambda _: None)
    supervisor = EngineSupervisor(EngineOptions(), paths, lambda _: None)
    path = target.path.absolute()
    root = repository_of(path)
    session.indexes = await asyncio.to_thread(_Indexes.of, root, paths)
    request = Request(
        uri=path.as_uri(),
        text=text,
        position=types.Position(target.line - 1, target.column - 1),
        encoding=UTF16,
        path=str(path),
        roots=(str(root),),
        automatic=False,
    )
    adapters = AdapterLoader(paths, lambda: None, _warn)
    adapters.open(str(root))
    try:
        await adapters.follow(await supervisor.wait_ready(LOADING_SECONDS))
        session.engines, session.adapters = supervisor, adapters
        _, completion = await session.complete(request)
    except EngineError as error:
        return session.unanswered(error)
    finally:
        session.indexes.close()
        await adapters.aclose()
        await supervisor.aclose()
    return completion


@dataclass(frozen=True, slots=True)
class _Indexes:
    """The one index that a completion in a shell needs; brought up to date before."""

    index: RepositoryIndex | None

    @classmethod
    def of(cls, root: Path, paths: StorePaths) -> "_Indexes":
        """Of a folder without marks of a repository there is none: it may be anything."""
        if not any((root / mark).exists() for mark in (".git", FILE_NAME)):
            return cls(None)
        store = RepositoryStore.of(paths, root)
        try:
            with RepositoryIndex.open(store.index) as index:
                index.refresh(store.root, Rules.of(store.root))
        except (SettingsError, OSError) as error:
            _warn(f"without other files: {error}")
            return cls(None)
        return cls(RepositoryIndex.reading(store.index))

    def index_of(self, root: str) -> RepositoryIndex | None:
        del root
        return self.index

    def saved(self, root: str, path: str) -> None:
        """Nobody saves anything meanwhile."""

    def close(self) -> None:
        if self.index is not None:
            self.index.close()


def _warn(message: str) -> None:
    print(f"tenon: {message}", file=sys.stderr)


def repository_of(path: Path) -> Path:
    """The folder that the repository around ``path`` lies in; its own folder if there is none."""
    return next((folder for folder in path.parents if (folder / ".git").exists()), path.parent)
