"""How each model family wants to be asked to fill in the middle: tokens, order, stops.

A format is data. Its ``layout`` names the parts of a prompt in the order in which the family was
trained on them; :mod:`lsp_server.prompt.assemble` fills the parts in. Special tokens are named by
their exact text in the vocabulary and never mixed into user text, so that ``<|fim_middle|>`` inside
a source file stays text.

Sources: Qwen2.5-Coder report (fig. 4), StarCoder 2 and DeepSeek-Coder READMEs, CodeGemma prompt
documentation, mistral-common ``encode_fim``, JetBrains Mellum card, Seed-Coder paper, llama.cpp's
table of FIM token texts. What a source did not show stands in docs/design.md.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Special:
    """One control token, by its exact text in the vocabulary."""

    token: str


@dataclass(frozen=True, slots=True)
class Text:
    """Text that is tokenised with control tokens off."""

    text: str


Segment = Special | Text


class Part(Enum):
    """A place in a layout that the document fills."""

    PREFIX = "prefix"
    SUFFIX = "suffix"
    PATH = "path"


class Order(Enum):
    """Which side of the cursor comes first; what follows it keeps or loses the KV cache."""

    PREFIX_ONLY = "prefix-only"
    PSM = "psm"
    SPM = "spm"


@dataclass(frozen=True, slots=True)
class RepositoryLayout:
    """How a family marks other files before the one that is completed.

    ``repository`` is laid out once with the repository's name, ``file`` once per snippet with its
    path and text, ``current`` before the completed file with its path, and ``in_prefix`` at the
    beginning of its prefix. ``{name}``, ``{path}`` and ``{text}`` are filled in inside
    :class:`Text` segments.
    """

    repository: tuple[Segment, ...] = ()
    file: tuple[Segment, ...] = ()
    current: tuple[Segment, ...] = ()
    in_prefix: str = ""


@dataclass(frozen=True, slots=True)
class FimFormat:
    """One family's fill-in-the-middle dialect.

    ``layout`` holds :class:`Special`, :class:`Text` and :class:`Part` entries. ``bos`` is laid
    before everything else. ``stops`` are control tokens that end the middle besides the
    vocabulary's own end-of-generation tokens. ``heals_before_middle`` marks a family that was
    trained with the tokens of an unfinished word moved behind its middle token.
    """

    name: str
    layout: tuple[Segment | Part, ...]
    bos: Special | None = None
    stops: tuple[str, ...] = ()
    repository: RepositoryLayout | None = None
    heals_before_middle: bool = False

    @property
    def heals(self) -> bool:
        """Whether the tokens of an unfinished word may be taken back from the prefix's end."""
        return self.heals_before_middle or self.layout[-1] is Part.PREFIX

    @property
    def around_prefix(self) -> tuple[str, str] | None:
        """The control tokens right before and right after a prefix that ends the layout, for a
        family that heals there.
        """
        if not self.heals_before_middle:
            return None
        *_, opening, _prefix, middle = self.layout
        if not isinstance(opening, Special) or not isinstance(middle, Special):
            raise TypeError(f"{self.name} has no control tokens around its prefix")
        return opening.token, middle.token

    @property
    def order(self) -> Order:
        if Part.SUFFIX not in self.layout:
            return Order.PREFIX_ONLY
        suffix_first = self.layout.index(Part.SUFFIX) < self.layout.index(Part.PREFIX)
        return Order.SPM if suffix_first else Order.PSM

    @property
    def specials(self) -> tuple[str, ...]:
        """The control tokens that the plain layout needs; the format fits a vocabulary that has
        them all.
        """
        own = (self.bos, *self.layout) if self.bos else self.layout
        return tuple(entry.token for entry in own if isinstance(entry, Special))


def _psm(prefix: str, suffix: str, middle: str) -> tuple[Segment | Part, ...]:
    return (Special(prefix), Part.PREFIX, Special(suffix), Part.SUFFIX, Special(middle))


def _spm(suffix: str, prefix: str, middle: str) -> tuple[Segment | Part, ...]:
    return (Special(suffix), Part.SUFFIX, Special(prefix), Part.PREFIX, Special(middle))


_QWEN_REPOSITORY = RepositoryLayout(
    repository=(Special("<|repo_name|>"), Text("{name}\n")),
    file=(Special("<|file_sep|>"), Text("{path}\n{text}\n")),
    current=(Special("<|file_sep|>"), Text("{path}\n")),
)
_MELLUM_REPOSITORY = RepositoryLayout(file=(Special("<filename>"), Text("{path}\n{text}\n\n")))
_STARCODER_REPOSITORY = RepositoryLayout(
    repository=(Special("<repo_name>"), Text("{name}")),
    file=(Special("<file_sep>"), Text("{path}\n{text}")),
    current=(Special("<file_sep>"),),
    in_prefix="{path}\n",
)

PLAIN = FimFormat("plain", (Part.PREFIX,))
"""For a model that was never taught to fill the middle: it continues the prefix."""

QWEN = FimFormat(
    "qwen2.5-coder",
    _psm("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
    stops=("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|fim_pad|>",
           "<|repo_name|>", "<|file_sep|>", "<|im_start|>", "<|im_end|>", "<|endoftext|>"),
    repository=_QWEN_REPOSITORY,
)  # fmt: skip

STARTER = FimFormat(
    "tenon-starter",
    _spm("<issue_comment>", "<issue_start>", "<issue_closed>"),
    stops=("<issue_start>", "<issue_comment>", "<issue_closed>", "<repo_name>", "<file_sep>",
           "<|endoftext|>", "<|im_end|>", "<|im_start|>"),
    repository=RepositoryLayout(
        repository=(Special("<repo_name>"), Text("{name}\n")),
        file=(Special("<file_sep>"), Text("{path}\n{text}\n")),
        current=(Special("<file_sep>"), Text("{path}\n")),
    ),
    heals_before_middle=True,
)  # fmt: skip
"""Tenon's own starter: control tokens that its vocabulary never used, taught by Tenon's recipe."""

_FORMATS = (
    PLAIN,
    QWEN,
    FimFormat(
        "starcoder2",
        _psm("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
        stops=("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<file_sep>", "<repo_name>",
               "<|endoftext|>"),
        repository=_STARCODER_REPOSITORY,
    ),
    FimFormat(
        "granite-code",
        _psm("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
        stops=("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<fim_pad>", "<|endoftext|>"),
    ),
    FimFormat(
        "deepseek-coder",
        _psm("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),
        bos=Special("<｜begin▁of▁sentence｜>"),
        stops=("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>", "<｜end▁of▁sentence｜>"),
    ),
    FimFormat(
        "codegemma",
        _psm("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
        bos=Special("<bos>"),
        stops=("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_separator|>",
               "<end_of_turn>", "<eos>"),
    ),
    FimFormat(
        "codestral",
        (Special("[SUFFIX]"), Part.SUFFIX, Special("[PREFIX]"), Part.PREFIX),
        bos=Special("<s>"),
        stops=("[PREFIX]", "[SUFFIX]", "</s>"),
    ),
    FimFormat(
        "mellum",
        (Special("<filename>"), Part.PATH, Text("\n"),
         *_spm("<fim_suffix>", "<fim_prefix>", "<fim_middle>")),
        stops=("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<fim_pad>", "<filename>",
               "<|endoftext|>"),
        repository=_MELLUM_REPOSITORY,
    ),
    FimFormat(
        "codellama",
        (Special("▁<PRE>"), Part.PREFIX, Special("▁<SUF>"), Part.SUFFIX, Special("▁<MID>")),
        bos=Special("<s>"),
        stops=("▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>", "</s>"),
    ),
    FimFormat(
        "seed-coder",
        _spm("<[fim-suffix]>", "<[fim-prefix]>", "<[fim-middle]>"),
        stops=("<[fim-suffix]>", "<[fim-prefix]>", "<[fim-middle]>", "<[end▁of▁sentence]>",
               "<[PAD▁TOKEN]>", "<[SEP▁TOKEN]>", "<[begin▁of▁sentence]>"),
    ),
    STARTER,
)  # fmt: skip

FORMATS: dict[str, FimFormat] = {entry.name: entry for entry in _FORMATS}
"""Every known format by name; a name is what a model's manifest keeps."""

# Families share token texts, so a format is recognised by tokens that only its family has, most
# telling first. `codegemma` is Qwen's three tokens in a vocabulary with Gemma's separator.
_TELLING: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("codegemma", ("<|fim_prefix|>", "<|file_separator|>", "<bos>")),
    ("qwen2.5-coder", ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_sep|>")),
    ("deepseek-coder", ("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>")),
    ("seed-coder", ("<[fim-suffix]>", "<[fim-prefix]>", "<[fim-middle]>")),
    ("codellama", ("▁<PRE>", "▁<SUF>", "▁<MID>")),
    ("codestral", ("[SUFFIX]", "[PREFIX]", "<s>")),
    ("granite-code", ("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<reponame>")),
    ("starcoder2", ("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<file_sep>", "<repo_name>")),
    ("mellum", ("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<filename>")),
)


def recognise(vocabulary: Collection[str], name: str = "") -> FimFormat | None:
    """The format that fits a vocabulary (token texts), or None if none is certain.

    ``name`` is the model's own name from its metadata: Mellum's vocabulary descends from
    StarCoder's, so only the name tells the two apart, as it does for Mistral models, of which
    only the Codestral ones were trained on FIM.
    """
    tokens = vocabulary if isinstance(vocabulary, (set, frozenset, dict)) else set(vocabulary)
    lowered = name.lower()
    if "mellum" in lowered and "<fim_middle>" in tokens:
        return FORMATS["mellum"]
    for format_name, telling in _TELLING:
        if not all(token in tokens for token in telling):
            continue
        if format_name == "codestral" and "codestral" not in lowered:
            continue
        return FORMATS[format_name]
    return None


# What a model's name says where its vocabulary cannot be seen (a remote engine).
_NAMED = (
    ("tenon-starter", "tenon-starter"),
    ("codegemma", "codegemma"),
    ("codestral", "codestral"),
    ("mellum", "mellum"),
    ("seed-coder", "seed-coder"),
    ("codellama", "codellama"),
    ("code-llama", "codellama"),
    ("deepseek-coder", "deepseek-coder"),
    ("starcoder2", "starcoder2"),
    ("granite", "granite-code"),
    ("qwen", "qwen2.5-coder"),
)


def named_after(model: str) -> FimFormat | None:
    """The format that a model's name tells, or None."""
    lowered = model.lower()
    return next((FORMATS[fim] for part, fim in _NAMED if part in lowered), None)
