"""Where a comment begins, by the ending of a file's name: one table for whoever asks. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """``lines`` are the marks of comments that run to the line's end, ``blocks`` those that begin
    and end longer ones. What begins with one of ``code`` looks like a comment and is none.
    """

    lines: tuple[str, ...] = ()
    blocks: tuple[tuple[str, str], ...] = ()
    code: tuple[str, ...] = ()

    def mark_at(self, text: str, at: int = 0) -> str:
        """The mark of a comment to the line's end that stands at an offset; "" if none does."""
        if text.startswith(self.code, at):
            return ""
        return next((mark for mark in self.lines if text.startswith(mark, at)), "")

    def begins_comment(self, line: str) -> bool:
        """Whether a line, without its indentation, is a comment from its first sign on."""
        return bool(self.mark_at(line)) or line.startswith(tuple(mark for mark, _ in self.blocks))


_C = (("/*", "*/"),)
PYTHON = Language(("#",))
TEXT = Language()
"""Words for people: there is no code in it but by way of example."""
_HASH = Language(lines=("#",))
_SLASHES = Language(("//",), _C)
_BOTH = Language(("#", "//"), _C)
_DASHES = Language(("--",))
_BY_ENDING = (
    (PYTHON, "py pyi pyw"),
    (TEXT, "md markdown mdx rst txt text adoc asciidoc org"),
    (_HASH, "rb rake gemspec sh bash zsh fish bashrc zshrc yaml yml toml r pl pm ex exs cr jl nim"),
    (_HASH, "tcl awk gd cmake mk bzl bazel star pyx pxd ps1 psm1 graphql gql gitignore env"),
    (_BOTH, "tf tfvars hcl nix"),
    (Language(("//", "#"), _C, code=("#[",)), "php"),  # an attribute
    (Language(("--",), _C), "sql"),
    (Language(("--",), (("{-", "-}"),)), "hs elm"),
    (_DASHES, "lua adb ads vhd vhdl"),
    (Language((";",)), "lisp lsp el clj cljs cljc edn scm rkt"),
    (Language(("%",)), "tex sty cls bib erl hrl"),
    (Language(("#", ";")), "ini cfg conf properties"),
    (Language((), _C), "css"),
    (Language((), (("<!--", "-->"),)), "html htm xml xhtml svg"),
    (Language(("//",), (*_C, ("<!--", "-->"))), "vue svelte astro"),
)
_LANGUAGES = {ending: language for language, endings in _BY_ENDING for ending in endings.split()}
_BY_NAME = dict.fromkeys(
    ("makefile", "gnumakefile", "dockerfile", "containerfile", "gemfile", "rakefile", "podfile",
     "brewfile", "vagrantfile", "justfile", "cmakelists.txt", "requirements.txt"), _HASH
) | {"jenkinsfile": _SLASHES}  # fmt: skip
"""Names that have no ending, or one that says something else."""
LINE_MARKS = frozenset(mark for language, _ in _BY_ENDING for mark in language.lines) | {"//"}
"""Those of any language."""


def language_of(path: str, text: str = "") -> Language:
    """The language of a document; ``path`` is its path or name, ``text`` how it begins.

    One that is not in the table counts as a descendant of C, and so does one without a name. A
    name without an ending is a text's (``README``, ``COMMIT_EDITMSG``), but for scripts.
    """
    name = path.rpartition("/")[2].lower()
    if name in _BY_NAME:
        return _BY_NAME[name]
    _, dot, ending = name.rpartition(".")
    if dot or not name:
        return _LANGUAGES.get(ending, _SLASHES)
    if text.startswith("#!"):
        return PYTHON if "python" in text.partition("\n")[0] else _HASH
    return TEXT
