"""The formats in which data sets are published: a row's fields, and what they mean as a hole."""

import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from lsp_server.prompt.assemble import Snippet

from .examples import FimExample

LANGUAGES = {"python": "py", "java": "java", "javascript": "js"}
"""Names of languages, and what SantaCoder's benchmark calls them."""
KINDS = ("midline", "line", "body")
"""What a time split takes out: the rest of a line, a line, a function's body."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which part of a data set is wanted, where it has parts; "" is all kinds."""

    language: str = "python"
    kind: str = ""


class _OwnContext(msgspec.Struct):
    path: str
    text: str


class _Own(msgspec.Struct):
    prefix: str
    suffix: str
    middle: str
    id: str | int = ""
    language: str = ""
    path: str = ""
    repository: str = ""
    tests: str = ""
    context: list[_OwnContext] = []


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
            context=tuple(Snippet(entry.path, entry.text) for entry in row.context),
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


Repositories = dict[str, dict[str, str]]
"""Texts by path, by repository: where an example's context from other files is looked up."""


def _no_repositories(_rows: list[Any]) -> Repositories:
    return {}


def _newest(rows: list[_Timesplit]) -> Repositories:
    """A time split's newest state; an example's own file is never looked up."""
    return {rows[0].repo.rpartition("/")[2]: rows[0].head_files}


@dataclass(frozen=True, slots=True)
class Format:
    """A published format: what a row must have at least, and its readers."""

    name: str
    row: type[msgspec.Struct]
    read: Callable[[list[Any], Choice], Iterator[FimExample]]
    repositories: Callable[[list[Any]], Repositories] = _no_repositories

    @property
    def needs(self) -> frozenset[str]:
        """The fields that tell it."""
        return frozenset(field.name for field in msgspec.structs.fields(self.row) if field.required)


FORMATS = (
    Format("tenon", _Own, _own),
    Format("timesplit", _Timesplit, _timesplit, _newest),
    Format("crosscodeeval", _CrossCode, _crosscode),
    Format("santacoder-fim", _Line, _santacoder),
    Format("humaneval-infilling", _Infilling, _infilling),
    Format("humaneval", _Function, _functions),
)
"""Tried in this order: HumanEval's fields are a part of HumanEval-Infilling's."""
