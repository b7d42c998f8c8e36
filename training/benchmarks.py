"""Reads fill-in-the-middle data sets, each in the format that its authors publish."""

import gzip
import json
import lzma
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from lsp_server.errors import TenonError
from lsp_server.prompt.assemble import Snippet
from lsp_server.store.integrity import checksum

from .examples import FimExample

Row = dict[str, Any]
ENDINGS = (".jsonl", ".jsonl.gz", ".jsonl.xz", ".json", ".json.gz", ".json.xz")
LANGUAGES = {"python": "py", "java": "java", "javascript": "js"}
"""Names of languages, and what SantaCoder's benchmark calls them."""
KINDS = ("midline", "line", "body")
"""What a time split takes out: the rest of a line, a line, a function's body."""


class BenchmarkError(TenonError):
    """A data set that cannot be read, or that lacks what was asked for."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A data set in memory, in its file's order; ``sha256`` is the file's."""

    format: str
    path: Path
    sha256: str
    examples: tuple[FimExample, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which part of a data set is wanted, where it has parts; "" is all kinds."""

    language: str = "python"
    kind: str = ""


def read(path: Path, choice: Choice) -> Benchmark:
    """Read a data set file, or the only one in a folder; raises ``BenchmarkError``."""
    path = only_file(path)
    try:
        sha256, rows = checksum(path), list(_rows(path))
    except (OSError, EOFError, UnicodeDecodeError, ValueError, lzma.LZMAError) as error:
        raise BenchmarkError(f"{path} cannot be read as JSON lines: {error}") from error
    if not rows:
        raise BenchmarkError(f"{path} has no rows")
    known = next((entry for entry in FORMATS if entry.needs <= rows[0].keys()), None)
    if known is None:
        raise BenchmarkError(
            f"{path} is in no format that is known here; its first row has the fields "
            f"{', '.join(sorted(rows[0]))}. Known are:\n{known_formats()}"
        )
    try:
        examples = tuple(known.read(_checked(rows, known.row), choice))
    except ValueError as error:
        raise BenchmarkError(f"{path} is no whole {known.name} file: {error}") from error
    if not examples:
        raise BenchmarkError(
            f"{path} has nothing in {choice.language}"
            + (f" of the kind {choice.kind}" if choice.kind else "")
        )
    if len({example.id for example in examples}) < len(examples):
        raise BenchmarkError(f"{path} has rows with the same id; give each row one of its own")
    return Benchmark(known.name, path, sha256, examples)


def only_file(path: Path) -> Path:
    """``path`` itself, or the one data set file in a folder; raises ``BenchmarkError``."""
    if path.is_file():
        return path
    if not path.is_dir():
        raise BenchmarkError(f"there is no file or folder {path}")
    found = sorted(file for file in path.iterdir() if file.name.endswith(ENDINGS))
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "none"
        raise BenchmarkError(
            f"{path} should hold one data set ({', '.join(ENDINGS)}), and holds {names}; "
            "name the file"
        )
    return found[0]


def known_formats() -> str:
    """The formats with the fields that tell them, a line each."""
    return "\n".join(f"  {entry.name}: {', '.join(sorted(entry.needs))}" for entry in FORMATS)


def _rows(path: Path) -> Iterator[Row]:
    """The JSON objects of a file, one a line, or a single one over all lines (``.json``)."""
    openers: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}
    with openers.get(path.suffix, open)(path, "rt", encoding="utf-8") as file:
        for text in [file.read()] if ".json" in path.suffixes else file:
            if text.strip():
                row = json.loads(text)
                if not isinstance(row, dict):
                    raise BenchmarkError(f"{path} holds something else than JSON objects")
                yield row


def _checked(rows: list[Row], kind: type[msgspec.Struct]) -> list[msgspec.Struct]:
    """The rows with the fields that a format has; raises ``ValueError``, which says what is wrong
    where.
    """
    checked = []
    for number, row in enumerate(rows, 1):
        try:
            checked.append(msgspec.convert(row, kind))
        except msgspec.ValidationError as error:
            raise ValueError(f"row {number}: {error}") from error
    return checked


class _Own(msgspec.Struct):
    prefix: str
    suffix: str
    middle: str
    id: str | int = ""
    language: str = ""
    path: str = ""
    repository: str = ""
    tests: str = ""


def _own(rows: list[_Own], _choice: Choice) -> Iterator[FimExample]:
    for number, row in enumerate(rows, 1):
        yield FimExample(
            id=str(number if row.id == "" else row.id),
            prefix=row.prefix,
            suffix=row.suffix,
            middle=row.middle,
            language=row.language,
            path=row.path,
            repository=row.repository,
            tests=row.tests,
        )


class _Function(msgspec.Struct):
    task_id: str
    prompt: str
    canonical_solution: str
    test: str
    entry_point: str


class _Infilling(_Function, kw_only=True):
    suffix: str


def _infilling(rows: list[_Infilling], _choice: Choice) -> Iterator[FimExample]:
    for row in rows:
        yield FimExample(
            id=row.task_id,
            prefix=row.prompt,
            suffix=row.suffix,
            middle=row.canonical_solution,
            tests=f"{row.test}\ncheck({row.entry_point})\n",
        )


def _functions(rows: list[_Function], _choice: Choice) -> Iterator[FimExample]:
    """HumanEval, and MBPP as functions to complete.

    The head's last line break is the answer's, as in the usual harnesses: where a vocabulary joins
    line breaks with indentation, a prompt that ends in one asks for something that is not indented.
    """
    for row in rows:
        head = row.prompt.rstrip()
        yield FimExample(
            id=row.task_id,
            prefix=head,
            suffix="",
            middle="\n" + _indented(row.canonical_solution, head).strip("\n") + "\n",
            seam="\n",
            tests=f"{row.test}\ncheck({row.entry_point})\n",
            function=True,
        )


def _indented(body: str, head: str) -> str:
    """A function's body as deep as its docstring: MBPP's solutions keep their authors' indent."""
    found, wanted = _indent(body.lstrip("\n")), _indent(head.rpartition("\n")[2])
    return body if found == wanted or not wanted else textwrap.indent(textwrap.dedent(body), wanted)


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


class _Line(msgspec.Struct):
    name: str
    language: str
    prompt: str
    suffix: str
    canonical_solution: str
    tests: str


def _santacoder(rows: list[_Line], choice: Choice) -> Iterator[FimExample]:
    """A line was taken out together with the line breaks around it.

    Prompts are as published, without those line breaks: so are the figures of other models. Only
    the Python tests can be run here.
    """
    wanted = LANGUAGES.get(choice.language, choice.language)
    for row in rows:
        if row.language == wanted:
            yield FimExample(
                id=row.name,
                prefix=row.prompt,
                suffix=row.suffix,
                middle=f"\n{row.canonical_solution}\n",
                language=choice.language,
                seam="\n",
                tests=row.tests if wanted == "py" else "",
            )


class _Origin(msgspec.Struct):
    task_id: str
    file: str
    repository: str


class _Fragment(msgspec.Struct):
    filename: str
    retrieved_chunk: str


class _Found(msgspec.Struct):
    list: Sequence[_Fragment] = ()


class _CrossCode(msgspec.Struct):
    prompt: str
    groundtruth: str
    right_context: str
    metadata: _Origin
    crossfile_context: _Found | None = None


def _crosscode(rows: list[_CrossCode], _choice: Choice) -> Iterator[FimExample]:
    """CrossCodeEval, with the other files' fragments that came with it."""
    for row in rows:
        found = row.crossfile_context.list if row.crossfile_context else ()
        yield FimExample(
            id=row.metadata.task_id,
            prefix=row.prompt,
            suffix=row.right_context,
            middle=row.groundtruth,
            path=row.metadata.file,
            repository=row.metadata.repository,
            context=tuple(Snippet(entry.filename, entry.retrieved_chunk) for entry in found),
        )


class _Span(msgspec.Struct):
    kind: str
    path: str
    start: int
    end: int


class _Timesplit(msgspec.Struct):
    repo: str
    head_files: dict[str, str]
    eval: list[_Span]


def _timesplit(rows: list[_Timesplit], choice: Choice) -> Iterator[FimExample]:
    """Spans of a repository's newest state that are younger than its training state."""
    split = rows[0]
    name = split.repo.rpartition("/")[2]
    for number, span in enumerate(split.eval):
        if choice.kind not in {"", span.kind}:
            continue
        text = split.head_files.get(span.path)
        if text is None:
            raise ValueError(f"`$.eval[{number}].path`: head_files has no {span.path}")
        yield FimExample(
            id=f"{name}/{span.path}:{span.start}-{span.end}:{span.kind}",
            prefix=text[: span.start],
            suffix=text[span.end :],
            middle=text[span.start : span.end],
            path=span.path,
            repository=name,
        )


@dataclass(frozen=True, slots=True)
class Format:
    """A published format: what a row must have at least, and its reader."""

    name: str
    row: type[msgspec.Struct]
    read: Callable[[list[Any], Choice], Iterator[FimExample]]

    @property
    def needs(self) -> frozenset[str]:
        """The fields that tell it."""
        return frozenset(field.name for field in msgspec.structs.fields(self.row) if field.required)


FORMATS = (
    Format("tenon", _Own, _own),
    Format("timesplit", _Timesplit, _timesplit),
    Format("crosscodeeval", _CrossCode, _crosscode),
    Format("santacoder-fim", _Line, _santacoder),
    Format("humaneval-infilling", _Infilling, _infilling),
    Format("humaneval", _Function, _functions),
)
"""Tried in this order: HumanEval's fields are a part of HumanEval-Infilling's."""
