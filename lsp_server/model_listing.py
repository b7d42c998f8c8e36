"""The models of the catalogue and the store, as an editor lists them."""

from .commands.models import rows
from .protocol import ModelLine
from .store.models import ModelStore
from .store.paths import StorePaths

NONCOMMERCIAL = "its licence forbids commercial use"


def model_lines(paths: StorePaths) -> list[ModelLine]:
    """One line per model, installed ones first; reads the disk."""
    lines = []
    for row in rows(ModelStore(paths)):
        untrainable = row["untrainable_reason"]
        notes = [NONCOMMERCIAL] if row["noncommercial"] else []
        notes += [f"it serves, but cannot be trained over: {untrainable}"] if untrainable else []
        line = ModelLine(
            name=row["name"],
            size=row["size"] or 0,
            licence=row["license"] or "",
            installed=row["installed"],
            chosen=row["in_use"],
            trainable=untrainable is None,
            note="; ".join(notes),
        )
        lines.append(line)
    return lines
