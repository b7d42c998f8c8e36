"""Where a text holds secrets or personal data, so that neither a prompt nor a sample has them.

The patterns are detect-secrets' own, of every plugin but the one for IP addresses (version numbers
look the same), read as they are and never verified over a network. Its scanner takes a file in
twenty passes over each line; here one cheap pass finds the lines that could hold something, and the
patterns see only those. What it lacks is in ``_MORE``: newer tokens, and personal data.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

Span = tuple[int, int]

_PLUGINS = (
    "artifactory", "aws", "azure_storage_key", "basic_auth", "cloudant", "discord", "github_token",
    "gitlab_token", "ibm_cloud_iam", "ibm_cos_hmac", "mailchimp", "npm", "openai",
    "private_key", "pypi_token", "sendgrid", "slack", "softlayer", "square_oauth", "stripe",
    "telegram_token", "twilio",
)  # fmt: skip
_LONGEST_LINE, _OVERLAP = 1_000, 200
"""Longer lines are read in pieces: some of the patterns take quadratic time."""
_LEAST_QUOTED = 20
"""Characters of a quoted string from which its entropy says something."""
_LONGEST_KEY = 20_000
"""Characters within which a private key has to end, to be one and not talk of one."""

_CANDIDATE = re.compile(
    r"(?=[A-Za-z+/_=.-]*\d)[A-Za-z0-9+/_=.-]{16}"  # a long token with a digit
    r"|[pP](?:ass|ASS|wd|WD)|[sS](?:ecret|ECRET)|[kK](?:ey|EY)[\w\]\"')]*\s*[:=]"
    r"|[tT](?:oken|OKEN)|[cC](?:redential|REDENTIAL|ontrase)|[bB]earer"
    r"|[\w.+-]@[\w-]+\.|://[^\s/]+@|\b(?:hf_|PuTTY-)|BEGIN [A-Z0-9 ]*PRIVATE"
    r"|\+\d[\d ().-]{8}|\d\d\d[-.)] ?\d\d\d[-.]\d\d\d\d"
)
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
    rf"(?:.{{0,{_LONGEST_KEY}}}?-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----)?",
    re.DOTALL,
)
_QUOTED = re.compile(rf"([\"'`])([A-Za-z0-9+/\-_=]{{{_LEAST_QUOTED},}})\1")
_JWT = re.compile(r"eyJ[A-Za-z0-9_=-]+\.[A-Za-z0-9_=-]+(?:\.[A-Za-z0-9_.+/=-]*)?")
_MORE = (
    re.compile(r"\bgithub_pat_[A-Za-z0-9_]{22,}"),
    re.compile(r"\bhf_[A-Za-z0-9]{30,}"),
    re.compile(r"\bAIza[A-Za-z0-9_-]{35}"),
    re.compile(r"\bya29\.[A-Za-z0-9_-]{20,}"),
    re.compile(r"\bsk-(?:ant|proj|or|svcacct)-[A-Za-z0-9_-]{20,}"),
    re.compile(r"\bsk-[A-Za-z0-9]{40,}"),
    re.compile(r"\b(?:r|s)k_test_[0-9a-zA-Z]{24,}"),
    re.compile(r"\bdop_v1_[a-f0-9]{64}"),
    re.compile(r"\bAGE-SECRET-KEY-1[A-Z0-9]{50,}"),
    re.compile(r"\b[Bb]earer +([A-Za-z0-9._~+/-]{20,}=*)"),
    re.compile(r"xox[abeoprs]-[A-Za-z0-9-]{20,}"),
)
_TOKEN = re.compile(
    r"(?:token|credentials?|api_?key|access_?key)s?\w*[\"'\])]{0,3}\s*(?::=|=>|[:=])\s*"
    r"[a-z]{0,2}[\"'`](?P<value>(?=[^\"'`\s]*[A-Za-z])(?=[^\"'`\s]*\d)[^\"'`\s{}<>$]{12,})[\"'`]",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    r"your|change|example|placeholder|dummy|fake|xxx|\*\*|\.\.\.|%[sd(]|^\W+$|^(.)\1*$"
    r"|^\D*(?:pass|secret|key|token|none|null|true|false)\D*$",
    re.IGNORECASE,
)
_ANNOTATED = re.compile(
    r"(?:passw(?:or)?d|passwd|pwd|secret|api_?key|private_?key)\w*\s*:\s*[\w. \[\]|]+=\s*"
    r"(?P<quote>[\"'])(?P<value>[^\"']+)(?P=quote)",
    re.IGNORECASE,
)
_EMAIL = re.compile(
    r"(?<![\w.+/@-])([A-Za-z0-9_][\w.+-]*)@((?:[A-Za-z0-9-]+\.)+"
    r"(?:com|org|net|edu|gov|mil|int|info|biz|io|dev|app|ai|co|me|tech|cloud|online|xyz|email"
    r"|[a-z]{2}))\b(?![\w(\[]|[.-]\w)"
)
_NOBODY = re.compile(
    r"^(?:git|hg|svn|no-?reply|user|username|name|me|you|foo|bar|test|someone|somebody|example)$",
    re.IGNORECASE,
)
_NOWHERE = re.compile(
    r"(?:^|\.)(?:example|test|invalid|localhost|domain|foo|bar|email|company|acme)\.\w+$"
    r"|(?:^|\.)noreply\.github\.com$",
    re.IGNORECASE,
)
_LEAST_PHONE = 9
_FICTION = "555"
_PHONE = re.compile(
    r"(?<![\w.+*/-])(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]\d{2,8}){1,4}"
    r"|\+\d{10,14}|\(\d{3}\) ?\d{3}-\d{4}|\d{3}([-.])\d{3}\1\d{4})(?![\w.-]|\s*[*/+]\s*\d)"
)


def find_secrets(text: str, path: str) -> tuple[Span, ...]:
    """Character spans of secrets and personal data in ``text``, sorted, none overlapping another.

    Keys, tokens, passwords in assignments, private keys as blocks, credentials in addresses, e-mail
    addresses and phone numbers. ``path`` tells by its ending how the file writes assignments.
    """
    found: list[Span] = []
    position = 0
    while match := _CANDIDATE.search(text, position):
        start = text.rfind("\n", 0, match.start()) + 1
        end = text.find("\n", match.end())
        end = len(text) if end < 0 else end
        found += _in_line(text, start, end, _detectors(), path)
        position = end + 1
    if "PRIVATE KEY" in text:
        found += [match.span() for match in _PRIVATE_KEY.finditer(text)]
    return _merged(found)


def _in_line(text: str, start: int, end: int, detectors: "_Detectors", path: str) -> Iterator[Span]:
    for begin in range(start, max(end - _OVERLAP, start + 1), _LONGEST_LINE - _OVERLAP):
        piece = text[begin : min(begin + _LONGEST_LINE, end)]
        for left, right in detectors.spans(piece, path):
            yield begin + left, begin + right


@dataclass(frozen=True, slots=True)
class _Detectors:
    """detect-secrets' patterns: tokens, assignments by file type, and the measures of entropy."""

    tokens: tuple[re.Pattern[str], ...]
    valid_jwt: Any
    base64: Any
    hexadecimal: Any
    keyword: Any
    file_type: Any
    heuristic: Any

    def spans(self, line: str, path: str) -> Iterator[Span]:
        yield from self._tokens(line)
        if '"' in line or "'" in line or "`" in line:
            yield from self._random(line)
        yield from self._assigned(line, path)
        yield from _personal(line)

    def _tokens(self, line: str) -> Iterator[Span]:
        """What its own form gives away."""
        for pattern in (*self.tokens, *_MORE):
            for match in pattern.finditer(line):
                yield _telling(match)
        for match in _JWT.finditer(line):
            if self.valid_jwt(".".join(match.group().split(".")[:2])):
                yield match.span()

    def _random(self, line: str) -> Iterator[Span]:
        """Quoted strings in which characters are spread as in a key."""
        for match in _QUOTED.finditer(line):
            value = match[2]
            if self.heuristic.is_sequential_string(value):
                continue
            is_hex = not value.strip("0123456789abcdefABCDEF")
            plugin = self.hexadecimal if is_hex else self.base64
            mixed = any(map(str.isdigit, value)) and any(map(str.isalpha, value))
            if mixed and plugin.calculate_shannon_entropy(value) > plugin.entropy_limit:
                yield match.span(2)

    def _assigned(self, line: str, path: str) -> Iterator[Span]:
        """What is assigned to, or compared with, something that is called a password or a key."""
        patterns = self.keyword.REGEX_BY_FILETYPE.get(
            self.file_type(path), self.keyword.QUOTES_REQUIRED_DENYLIST_REGEX_TO_GROUP
        )
        for pattern, group in patterns.items():
            for match in pattern.finditer(line):
                value = match[group]
                if value and not self._is_placeholder(value):
                    yield match.span(group)
        for pattern in (_ANNOTATED, _TOKEN):
            for match in pattern.finditer(line):
                if not self._is_placeholder(match["value"]):
                    yield match.span("value")

    def _is_placeholder(self, value: str) -> bool:
        heuristic = self.heuristic
        return bool(
            _PLACEHOLDER.search(value)
            or heuristic.is_templated_secret(value)
            or heuristic.is_prefixed_with_dollar_sign(value)
            or heuristic.is_not_alphanumeric_string(value)
            or heuristic.is_sequential_string(value)
        )


def _personal(line: str) -> Iterator[Span]:
    """E-mail addresses and phone numbers of somebody."""
    if "@" in line:
        for match in _EMAIL.finditer(line):
            if not _NOBODY.search(match[1]) and not _NOWHERE.search(match[2]):
                yield match.span()
    for match in _PHONE.finditer(line):
        if _FICTION not in match.group() and sum(map(str.isdigit, match.group())) >= _LEAST_PHONE:
            yield match.span()


@cache
def _detectors() -> _Detectors:
    """Made once, when the first line needs it: the package brings an HTTP client in."""
    package = "detect_secrets"
    base = import_module(f"{package}.plugins.base").RegexBasedDetector
    tokens: list[re.Pattern[str]] = []
    for name in _PLUGINS:
        module = import_module(f"{package}.plugins.{name}")
        for plugin in vars(module).values():
            if isinstance(plugin, type) and issubclass(plugin, base) and plugin is not base:
                tokens += getattr(plugin, "denylist", ())
    entropy = import_module(f"{package}.plugins.high_entropy_strings")
    return _Detectors(
        tokens=tuple(tokens),
        valid_jwt=import_module(f"{package}.plugins.jwt").JwtTokenDetector.is_formally_valid,
        base64=entropy.Base64HighEntropyString(),
        hexadecimal=entropy.HexHighEntropyString(),
        keyword=import_module(f"{package}.plugins.keyword"),
        file_type=import_module(f"{package}.util.filetype").determine_file_type,
        heuristic=import_module(f"{package}.filters.heuristic"),
    )


def _telling(match: re.Match[str]) -> Span:
    """The group that is the secret, if a pattern has one; a short one is a token's prefix."""
    spans = [match.span(group) for group in range(1, match.re.groups + 1) if match[group]]
    longest = max(spans, key=lambda span: span[1] - span[0], default=match.span())
    whole = match.group()
    is_prefix = match.start() == longest[0] and longest[1] < match.end()
    is_assignment = "://" not in whole and len(spans) > 1
    return match.span() if is_prefix or is_assignment else longest


def _merged(spans: list[Span]) -> tuple[Span, ...]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        elif end > start:
            merged.append((start, end))
    return tuple(merged)
