"""What a file imports, read from its text alone: a file that is edited need not parse. Pure."""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

ALL = "*"


@dataclass(frozen=True, slots=True)
class Import:
    """One imported name.

    ``name`` is what this file calls it, ``symbol`` what it is called where it is defined ("" where
    a whole module is imported, ``*`` where all its names are). ``module`` is a path without an
    ending; ``rooted`` says that it counts from the repository's root.
    """

    name: str
    symbol: str
    module: str
    rooted: bool = False

    def distance(self, path: str) -> int | None:
        """How far a file is from the module: 0 is it, more lies inside; None is another."""
        stem = stem_of(path)
        if stem == self.module:
            return 0
        if self.rooted:
            inside = not self.module or stem.startswith(self.module + "/")
            rest = stem[len(self.module) :].strip("/")
            return 1 + rest.count("/") if inside else None
        if stem.endswith("/" + self.module):
            return 0
        _, found, rest = f"/{stem}".partition(f"/{self.module}/")
        return 1 + rest.count("/") if found else None


def stem_of(path: str) -> str:
    """A file's path as modules are named: without its ending, and without ``__init__``."""
    folder, _, name = path.rpartition("/")
    base = name.partition(".")[0]
    if base in {"__init__", "index", "mod"}:
        return folder
    return f"{folder}/{base}" if folder else base


def imports_of(text: str, path: str) -> tuple[Import, ...]:
    """The imports in a file's text, in order; ``path`` tells the language and where it lies."""
    reader = _READERS.get(path.rpartition(".")[2].lower())
    return tuple(dict.fromkeys(reader(text, path))) if reader else ()


_FROM = re.compile(
    r"^[ \t]*from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]+(\([^)]*\)|(?:[^\n\\]|\\\n)*)", re.MULTILINE
)
_IMPORT = re.compile(r"^[ \t]*import[ \t]+([^\n#;]+)", re.MULTILINE)
_COMMENT = re.compile(r"#[^\n]*")
_AS = re.compile(r"([\w.*]+)(?:\s+as\s+(\w+))?")


def _python(text: str, path: str) -> Iterator[Import]:
    for dots, module, names in _FROM.findall(text):
        found = module.replace(".", "/")
        if dots:
            folder = posixpath.dirname(path)
            for _ in dots[1:]:
                folder = posixpath.dirname(folder)
            found = posixpath.join(folder, found) if found else folder
        for symbol, alias in _AS.findall(_COMMENT.sub("", names)):
            yield Import(alias or symbol, symbol, found, rooted=bool(dots))
    for names in _IMPORT.findall(text):
        for module, alias in _AS.findall(names):
            yield Import(alias or module, "", module.replace(".", "/"))


_ES_IMPORT = re.compile(
    r"^[ \t]*(?:import|export)\s+(?:type\s+)?([^'\";()]*?)\s*from\s*['\"]([^'\"\n]+)['\"]",
    re.MULTILINE,
)
_REQUIRE = re.compile(
    r"\b(?:const|let|var)\s+(\{[^}]*\}|\w+)\s*=\s*require\(\s*['\"]([^'\"\n]+)['\"]\s*\)"
)
_ES_NAME = re.compile(r"(\*|[\w$]+)(?:\s*(?:\bas\b|:)\s*([\w$]+))?")


def _ecmascript(text: str, path: str) -> Iterator[Import]:
    for clause, module in (*_ES_IMPORT.findall(text), *_REQUIRE.findall(text)):
        rooted = module.startswith(".")
        if rooted:
            found = posixpath.normpath(posixpath.join(posixpath.dirname(path), module))
        elif module.startswith(("@/", "~/", "#/", "src/")):
            found = module.lstrip("@~#/")
        else:
            continue  # a package
        found = re.sub(r"\.[cm]?[jt]sx?$", "", found)
        found = found.removesuffix("/index")
        outside, _, inside = clause.partition("{")
        for symbol, alias in _ES_NAME.findall(inside.rstrip("} \n")):
            if symbol != "type" or alias:
                yield Import(alias or symbol, symbol, found, rooted=rooted)
        for symbol, alias in _ES_NAME.findall(outside.strip(", \n")):
            if symbol == ALL:
                yield Import(alias, "", found, rooted=rooted)
            else:  # a default import: it may be called anything where it is defined
                yield Import(symbol, symbol, found, rooted=rooted)
                yield Import(symbol, "", found, rooted=rooted)


_GO_BLOCK = re.compile(r"^import\s+(?:\(([^)]*)\)|([^\n]+))", re.MULTILINE)
_GO_ONE = re.compile(r"(?:([\w.]+)\s+)?\"([^\"\n]+)\"")


def _go(text: str, path: str) -> Iterator[Import]:
    del path
    for block, single in _GO_BLOCK.findall(text):
        for alias, module in _GO_ONE.findall(block or single):
            if "/" in module:
                name = module.rpartition("/")[2]
                yield Import(alias or name, "", "/".join(module.split("/")[-2:]))
                yield Import(alias or name, "", name)


_RUST_USE = re.compile(r"^\s*(?:pub(?:\([^)]*\))?\s+)?use\s+([^;]+);", re.MULTILINE)


def _rust(text: str, path: str) -> Iterator[Import]:
    folder = posixpath.dirname(path) if stem_of(path) == posixpath.dirname(path) else stem_of(path)
    for clause in _RUST_USE.findall(text):
        head, _, names = clause.partition("{")
        words = [word.strip() for word in head.strip().strip(":").split("::") if word.strip()]
        if not names:
            last, words = words[-1:], words[:-1]
            names = last[0] if last else ""
        rooted = words[:1] in (["self"], ["super"])
        if rooted:
            base = folder
            while words and words[0] in {"self", "super"}:
                base = posixpath.dirname(base) if words.pop(0) == "super" else base
            module = posixpath.join(base, *words)
        else:
            module = "/".join(words[1:] if words[:1] == ["crate"] else words)
        for symbol, alias in _AS.findall(names.replace("{", " ").replace("}", " ")):
            if module or not rooted:
                yield Import(alias or symbol, symbol, module or symbol, rooted=rooted)


_JAVA_IMPORT = re.compile(r"^\s*import\s+(static\s+)?([\w.]+)(\.\*)?\s*;", re.MULTILINE)


def _java(text: str, path: str) -> Iterator[Import]:
    del path
    for static, name, star in _JAVA_IMPORT.findall(text):
        module = name.replace(".", "/")
        last = name.rpartition(".")[2]
        if star:
            yield Import(ALL, ALL, module)
        elif static:
            yield Import(last, last, module.rpartition("/")[0])
        else:
            yield Import(last, last, module)


_INCLUDE = re.compile(r"^\s*#\s*include\s*\"([^\"\n]+)\"", re.MULTILINE)


def _c(text: str, path: str) -> Iterator[Import]:
    for header in _INCLUDE.findall(text):
        beside = posixpath.normpath(posixpath.join(posixpath.dirname(path), header))
        yield Import(ALL, ALL, stem_of(beside), rooted=True)
        yield Import(ALL, ALL, stem_of(posixpath.normpath(header).lstrip("./")))


_READERS = {
    **dict.fromkeys(("py", "pyi", "pyw"), _python),
    **dict.fromkeys(("js", "jsx", "mjs", "cjs", "ts", "tsx", "mts", "cts"), _ecmascript),
    "go": _go,
    "rs": _rust,
    "java": _java,
    **dict.fromkeys(("c", "h", "cc", "cpp", "cxx", "hh", "hpp", "hxx"), _c),
}
