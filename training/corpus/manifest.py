"""The manifest: which sources the corpus is made of, one row each, as a file and as values."""

import csv
import dataclasses
import io
from collections.abc import Iterable
from pathlib import Path

from lsp_server.errors import TenonError
from lsp_server.store.paths import replace_file

COLUMNS = ("group", "source", "sha256", "licence", "files", "bytes")
GROUPS = ("1", "2", "heldout", "3")
"""In this order: what comes first keeps its copy of a file that several sources share."""


class ManifestError(TenonError):
    """The manifest, or what it points to, is not what it says."""


@dataclasses.dataclass(frozen=True)
class Source:
    """``name`` is ``pypi:NAME==VERSION``, ``github:OWNER/NAME@COMMIT`` or ``cpython:VERSION``.

    ``sha256`` is that of the wheel, and empty where a commit or a version says it all. ``files``
    and ``size`` (bytes of text) are what the last build kept.
    """

    group: str
    name: str
    sha256: str
    licence: str
    files: int = 0
    size: int = 0

    @property
    def kind(self) -> str:
        return self.name.partition(":")[0]

    @property
    def what(self) -> str:
        return self.name.partition(":")[2]


def read_manifest(path: Path) -> list[Source]:
    """The rows, group by group. Raises ManifestError for a row that is not understood."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise ManifestError(f"{path}: the columns must be {', '.join(COLUMNS)}.")
        rows = [_source(path, row) for row in reader]
    return sorted(rows, key=lambda row: GROUPS.index(row.group))


def write_manifest(path: Path, sources: Iterable[Source]) -> None:
    """Replace the manifest in one step."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(dataclasses.astuple(source) for source in sources)
    replace_file(path, text.getvalue().encode("utf-8"))


def _source(path: Path, row: dict[str, str]) -> Source:
    source = Source(
        row["group"],
        row["source"],
        row["sha256"],
        row["licence"],
        int(row["files"] or 0),
        int(row["bytes"] or 0),
    )
    if source.group not in GROUPS or source.kind not in {"pypi", "github", "cpython"}:
        raise ManifestError(f"{path}: {source.name} of group {source.group} is not understood.")
    return source
