"""Small real git repositories for tests of what `tenon train` does: this project's own files."""

from pathlib import Path

import lsp_server
from tests.git_repositories import Repository, repository

PACKAGE = Path(lsp_server.__file__).parent
OLDER = (
    "prompt/assemble.py", "prompt/formats.py", "prompt/healing.py", "prompt/identifiers.py",
    "prompt/passages.py", "prompt/query.py", "prompt/snippets.py", "completion/budget.py",
    "completion/engine.py", "completion/extent.py", "completion/provider.py",
)  # fmt: skip
"""What there was at first."""
NEWER = (
    "completion/trigger.py", "completion/tokens.py", "completion/reasons.py",
    "completion/cache.py", "completion/postprocess.py", "prompt/window.py",
)  # fmt: skip
"""What came later, and is held out."""


def source(name: str) -> str:
    return (PACKAGE / name).read_text(encoding="utf-8")


def small_project(root: Path, newer: tuple[str, ...] = NEWER) -> Repository:
    """Some fifteen files, the newer ones in commits of their own."""
    made = repository(root)
    made.commit({name: source(name) for name in OLDER[:6]})
    made.commit({name: source(name) for name in OLDER[6:]})
    for name in newer:
        made.commit({name: source(name)})
    return made
