"""Which of a repository's own names a tokenizer breaks into many pieces, and what that costs.

A name in five pieces takes five steps to write and room for five in every prompt; an adapter
cannot change that, so the report says which names to expect little speed from.
"""

import builtins
import keyword
import re
import sys
from collections import Counter
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from lsp_server.store.files import RepositoryFile

from .samples import Tokenizer

LEAST_CHARACTERS = 3


@dataclass(frozen=True, slots=True)
class BrokenName:
    """A name, how often it stands in the code, and in how many tokens.

    ``cost`` is ``occurrences * (pieces - 1)``: the tokens that a vocabulary with that name would
    save. ``split`` is the name as it is broken.
    """

    name: str
    occurrences: int
    pieces: int
    cost: int
    split: tuple[str, ...]


_PYTHON_TEXT = (
    r'[rRuU]?[bB]?[rR]?(?:"""(?:[^\\]|\\.)*?"""|\'\'\'(?:[^\\]|\\.)*?\'\'\''
    r'|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\')'
)
_NAME = r"\d\w*|(\.|->|::)?([^\W\d]\w*)(\s*=(?!=))?"
"""A number, or: what it is a member of, the name, whether something is assigned to it."""
_PYTHON = re.compile(rf"#[^\n]*|(?<!\w)(?:{_PYTHON_TEXT})|{_NAME}", re.DOTALL)
_C = re.compile(
    r"//[^\n]*|/\*.*?(?:\*/|\Z)|\"(?:[^\"\\\n]|\\.)*\"|`(?:[^`\\]|\\.)*`"
    r"|'(?:[^'\\\n]|\\.)+'|" + _NAME,
    re.DOTALL,
)
_IMPORTED = re.compile(
    r"^[ \t]*from[ \t]+(\w+)[\w.]*[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)", re.MULTILINE
)
_C_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
    abstract any as assert async await bool boolean break byte case catch chan char class const
    constexpr continue crate debugger declare default defer delete do double dyn else enum explicit
    export extends extern fallthrough false final finally float fn for friend from func function go
    goto if impl implements import in infer inline instanceof int interface is keyof let long loop
    map match mod module move mut namespace native new nil noexcept null nullptr number object of
    operator override package private protected pub public range readonly ref register require
    return self Self short signed sizeof static str strictfp string String struct super switch
    symbol synchronized template this throw throws trait transient true try type typedef typename
    typeof undefined union unknown unsafe unsigned use using usize var virtual void volatile where
    while with yield Array Boolean Date Error JSON Map Math Number Object Promise RegExp Set Symbol
    console document window process module exports append len make panic cap copy print println
    Vec Option Result Some None Ok Err Box Rc Arc HashMap i8 i16 i32 i64 i128 u8 u16 u32 u64 u128
    f32 f64 isize int8 int16 int32 int64 uint uint8 uint16 uint32 uint64 int8_t int16_t int32_t
    int64_t uint8_t uint16_t uint32_t uint64_t size_t std include define ifdef ifndef endif printf
    Integer Override Deprecated List ArrayList Exception RuntimeException System
    """,
    )
)
"""Words of the languages with C's comments, and of what everybody has imported there."""
_OBJECTS = (str, bytes, list, dict, set, int, float, object, type, BaseException)


def identifier_report(
    files: Iterable[RepositoryFile], tokenizer: Tokenizer, top: int = 50
) -> tuple[BrokenName, ...]:
    """The ``top`` names by cost, the dearest first.

    A name is the repository's own if it is no word of the language, no builtin, no module of the
    standard library and not imported from one, and if it stands somewhere by itself or is assigned
    to: what is only ever asked of objects (``.read_bytes``) is another's. Comments and strings do
    not count.
    """
    python, others = _Names(_PYTHON), _Names(_C)
    standard = _python_words()
    for file in files:
        if file.language == "python":
            python.read(file.text)
            standard |= _from_standard_library(file.text)
        elif file.language:
            others.read(file.text)
    return _broken(python.without(standard) + others.without(_C_WORDS), tokenizer, top)


class _Names:
    """How often each name stands in what was read, and which names are its own."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern = pattern
        self._counts = Counter[str]()
        self._own = set[str]()

    def read(self, text: str) -> None:
        for member, name, assigned in self._pattern.findall(text):
            if len(name) >= LEAST_CHARACTERS:
                self._counts[name] += 1
                if assigned or not member:
                    self._own.add(name)

    def without(self, known: AbstractSet[str]) -> Counter[str]:
        return Counter(
            {
                name: self._counts[name]
                for name in self._own - known
                if not (name.startswith("__") and name.endswith("__"))
            }
        )


def _python_words() -> set[str]:
    words = {*keyword.kwlist, *keyword.softkwlist, *dir(builtins), *sys.stdlib_module_names}
    return words | {"self", "cls"} | {name for kind in _OBJECTS for name in dir(kind)}


def _from_standard_library(text: str) -> set[str]:
    """Names that a file imports from a module of the standard library."""
    return {
        name
        for module, names in _IMPORTED.findall(text)
        if module in sys.stdlib_module_names
        for name in re.findall(r"\w+", names)
    }


def _broken(names: Counter[str], tokenizer: Tokenizer, top: int) -> tuple[BrokenName, ...]:
    """In as many pieces as behind a blank or behind a bracket, whichever are fewer."""
    ordered = sorted(names)
    spaced = [f" {name}" for name in ordered]
    broken: list[tuple[int, str, int, str]] = []
    for name, text, bare, behind in zip(
        ordered, spaced, tokenizer.count(ordered), tokenizer.count(spaced), strict=True
    ):
        pieces = min(bare, behind)
        if pieces > 1:
            shown = name if bare <= behind else text
            broken.append((names[name] * (pieces - 1), name, pieces, shown))
    broken.sort(key=lambda entry: (-entry[0], entry[1]))
    return tuple(
        BrokenName(name, names[name], pieces, cost, _split(shown, tokenizer))
        for cost, name, pieces, shown in broken[:top]
    )


def _split(text: str, tokenizer: Tokenizer) -> tuple[str, ...]:
    return tuple(
        tokenizer.pieces[token].decode("utf-8", "replace").lstrip()
        for token in tokenizer.encode(text)
    )
