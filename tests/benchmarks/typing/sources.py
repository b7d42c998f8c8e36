"""The time-split sets as repositories: code at HEAD, and the spans of it that are new.

Evaluation data, kept outside the project; nothing of it is written anywhere but into temporary
folders.
"""

import json
import lzma
from collections.abc import Sequence
from pathlib import Path

from .traces import Repository, Span

PLACE = Path("shared", "bench", "timesplit")
"""Below one of the folders around this file."""
LONGEST_FILE = 60_000
"""Characters; longer files make no difference to a window and take long to open."""


def repositories(folder: Path | None = None) -> list[Repository]:
    """Every set of a folder, in the order of their names; raises ``FileNotFoundError`` with what
    to do about it.
    """
    around = [parent / PLACE for parent in Path(__file__).resolve().parents]
    folder = folder or next((path for path in around if path.is_dir()), PLACE)
    files = sorted(folder.glob("*.json.xz"))
    if not files:
        raise FileNotFoundError(
            f"{folder} holds no time-split sets (*.json.xz): name their folder with --data"
        )
    return [_repository(path) for path in files]


def _repository(path: Path) -> Repository:
    with lzma.open(path, "rt", encoding="utf-8") as file:
        data = json.load(file)
    files = data["head_files"]
    return Repository(path.name.partition(".")[0], files, tuple(_spans(data["eval"], files)))


def _spans(entries: Sequence[dict], files: dict[str, str]) -> list[Span]:
    spans = []
    for entry in entries:
        text, start = files[entry["path"]], entry["start"]
        if len(text) > LONGEST_FILE or "\r" in text or "\t" in text[start : entry["end"]]:
            continue
        # Who adds a line or a body presses Enter behind what stands above it.
        if entry["kind"] != "midline":
            line = text.rfind("\n", 0, start)
            if line > 0 and not text[line + 1 : start].strip():
                start = line
        spans.append(Span(entry["kind"], entry["path"], start, entry["end"]))
    return spans


def write(repository: Repository, root: Path, documents: dict[str, str]) -> None:
    """Put a repository on disk as it is before a trace begins; what is there already stays if it is
    the same, so that an index has little to do.
    """
    for path, text in {**repository.files, **documents}.items():
        target = root / path
        if target.exists() and target.read_text("utf-8") == text:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8", newline="\n")
