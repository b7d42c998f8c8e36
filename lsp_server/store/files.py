"""The files of a repository that may be read and learnt from, and why the others may not."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from .rules import Rules
from .walking import Found, Skipped, walk

__all__ = [
    "LANGUAGES",
    "RepositoryFile",
    "Skipped",
    "is_generated",
    "language_of",
    "open_file",
    "read_file",
    "refusal",
    "repository_files",
]

LANGUAGES = {
    "python": (".py", ".pyi", ".pyw"),
    "javascript": (".js", ".jsx", ".mjs", ".cjs"),
    "typescript": (".ts", ".tsx", ".mts", ".cts"),
    "go": (".go",),
    "rust": (".rs",),
    "java": (".java",),
    "c": (".c", ".h"),
    "cpp": (".cc", ".cpp", ".cxx", ".hh", ".hpp", ".hxx", ".ipp", ".cu", ".cuh"),
}
_LANGUAGE_OF = {ending: name for name, endings in LANGUAGES.items() for ending in endings}

_GENERATED_NAME = re.compile(
    r"_pb2(?:_grpc)?\.pyi?$|\.pb(?:\.gw)?\.(?:go|cc|h)$|_pb\.(?:js|d\.ts)$|[.-]min\.[cm]?js$"
    r"|\.bundle\.js$|\.g\.(?:ts|js)$|_generated\.\w+$|^zz_generated|^moc_\w+\.cpp$|^parsetab\.py$"
)
_HEAD_LINES, _HEAD_CHARACTERS = 20, 3_000
_GENERATED_HEAD = re.compile(
    r"(?<![\w.`'\"])@generated(?![\w.`'\"])"
    r"|\b(?:auto[- ]?generated|automatically[ -]generated|machine[- ]generated)"
    r"[^\n]{0,20}\b(?:file|code|by|from|with)\b"
    r"|\b(?:file|code|module)\b[^\n]{0,30}\b(?:is|was|has been)\b[^\n]{0,20}\bgenerated\b"
    r"|\bgenerated\b[^\n]{0,80}\n?[^\n]{0,80}\b(?:do not|don['’]t) (?:edit|modify|change)\b"
    r"|\b(?:do not|don['’]t) (?:edit|modify)\b[^\n]{0,80}\n?[^\n]{0,80}\bgenerated\b",
    re.IGNORECASE,
)
_MINIFIED_MEAN, _MINIFIED_LEAST = 200, 2_000
"""Characters per line, and in all, from which a script was written by a program."""
_LINE_END = re.compile(r"\r\n?")


@dataclass(frozen=True, slots=True)
class RepositoryFile:
    """A text file of a repository.

    ``path`` is relative to the root, with forward slashes. ``language`` is a key of
    :data:`LANGUAGES`, or "" for other text. ``text`` has LF line ends and no byte order mark.
    ``sha256`` is of the bytes on disk, ``modified`` in seconds since the epoch.
    """

    path: str
    language: str
    text: str
    sha256: str
    modified: float


def repository_files(root: Path, rules: Rules) -> Iterator[RepositoryFile | Skipped]:
    """Everything below ``root``, sorted by path, one file in memory at a time; never raises.

    A folder that is left out whole is one :class:`Skipped`, whose path ends in ``/``.
    """
    for entry in walk(root, rules):
        yield read_file(entry, rules) if isinstance(entry, Found) else entry


def language_of(path: str) -> str:
    """The language that a file's ending tells; "" for one that is no code."""
    name = path.rpartition("/")[2].lower()
    return _LANGUAGE_OF.get("." + name.rpartition(".")[2], "") if "." in name else ""


def read_file(found: Found, rules: Rules) -> RepositoryFile | Skipped:
    """A file that :func:`lsp_server.store.walking.walk` found, or why it is none of ours."""
    path = found.path
    reason = refusal(found, rules)
    if reason:
        return Skipped(path, reason)
    try:
        with found.location.open("rb") as file:
            data = file.read(rules.max_file_bytes + 1)
    except OSError:
        return Skipped(path, "unreadable")
    return _of_bytes(found, data, rules)


def open_file(found: Found, data: bytes, rules: Rules) -> RepositoryFile | Skipped:
    """The same of a file that an editor has open, and would save as ``data``."""
    found = replace(found, size=len(data))
    reason = refusal(found, rules)
    return Skipped(found.path, reason) if reason else _of_bytes(found, data, rules)


def _of_bytes(found: Found, data: bytes, rules: Rules) -> RepositoryFile | Skipped:
    path = found.path
    try:
        text = _decoded(data, rules)
    except _NoTextError as error:
        return Skipped(path, str(error))
    if not found.included and is_generated(path, text):
        return Skipped(path, "generated")
    return RepositoryFile(
        path, language_of(path), text, hashlib.sha256(data).hexdigest(), found.modified
    )


class _NoTextError(ValueError):
    """Bytes that are no text of a bearable size; the message is the reason."""


def _decoded(data: bytes, rules: Rules) -> str:
    if len(data) > rules.max_file_bytes:  # it has grown since it was found
        raise _NoTextError("too large")
    if b"\0" in data:
        raise _NoTextError("binary")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _NoTextError("not UTF-8") from error
    return _LINE_END.sub("\n", text) if "\r" in text else text


def refusal(found: Found, rules: Rules) -> str:
    """Why a file need not even be opened; "" if it has to be."""
    if not found.included and not language_of(found.path):
        return "no code"
    if found.size > rules.max_file_bytes:
        return "too large"
    if not found.included and _GENERATED_NAME.search(found.path.rpartition("/")[2]):
        return "generated"
    return ""


def is_generated(path: str, text: str) -> bool:
    """Whether a program wrote this, by its name, its first lines, or the length of its lines."""
    if _GENERATED_NAME.search(path.rpartition("/")[2]):
        return True
    head = "\n".join(text[:_HEAD_CHARACTERS].split("\n", _HEAD_LINES)[:_HEAD_LINES])
    if "enerated" in head.lower() and _GENERATED_HEAD.search(head):
        return True
    mean = len(text) / (text.count("\n") + 1)
    scripts = {"javascript", "typescript"}
    return len(text) >= _MINIFIED_LEAST and mean > _MINIFIED_MEAN and language_of(path) in scripts
