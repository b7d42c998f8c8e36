"""How a checked file becomes a model: it appears in its folder whole, and the manifest last."""

import errno
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import ModelError
from .gguf_header import GgufHeader
from .integrity import Fingerprint
from .manifest import InstalledModel, ModelManifest, located, write_manifest


@dataclass(frozen=True, slots=True)
class Facts:
    """What the header of a file cannot tell about it."""

    name: str
    fim: str
    license: str | None
    source: Literal["wheel", "hub", "file", "merged"]
    sha256: str
    base_id: str | None = None
    made_by: str | None = None


def place(
    models: Path, facts: Facts, header: GgufHeader, file: Path, *, keep: bool
) -> InstalledModel:
    """Bring ``file`` into its folder below ``models`` (linked or copied; moved unless ``keep``).

    An older model of the name is whole and served until the manifest is replaced. Raises
    ModelError if the disk is full, ``OSError`` for other faults of it.
    """
    folder = models / facts.name
    folder.mkdir(parents=True, exist_ok=True)
    # A name of its own per content, so that old and new lie side by side for a moment.
    target = folder / f"{facts.name}-{facts.sha256[:8]}.gguf"
    try:
        _bring(file, target, keep=keep)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise ModelError(
            f"the disk of {folder} is full; free {file.stat().st_size / 1e6:,.0f} MB or set "
            "TENON_HOME to a folder on a larger disk, then run the command again"
        ) from error
    fingerprint = Fingerprint.of(target)
    manifest = ModelManifest(
        name=facts.name,
        file=target.name,
        sha256=facts.sha256,
        size=fingerprint.size,
        fim=facts.fim,
        context=header.context,
        license=facts.license,
        params=header.parameters,
        architecture=header.architecture,
        source=facts.source,
        fingerprint=fingerprint,
        base_id=facts.base_id,
        made_by=facts.made_by,
    )
    write_manifest(folder, manifest)
    for left in folder.glob("*.gguf"):
        if left != target:
            with suppress(PermissionError):  # on Windows an engine may still hold it
                left.unlink()
    return located(manifest, target)


def _bring(file: Path, target: Path, *, keep: bool) -> None:
    staged = target.with_suffix(f".{os.getpid()}.tmp")
    staged.unlink(missing_ok=True)
    try:
        if not (keep and _linked(file, staged)):
            if keep:
                shutil.copyfile(file, staged)
            else:
                shutil.move(file, staged)
            with staged.open("rb+") as opened:
                os.fsync(opened.fileno())
        staged.replace(target)
    finally:
        staged.unlink(missing_ok=True)


def _linked(file: Path, target: Path) -> bool:
    """Try a hard link, which costs no room; False on another disk or without such links."""
    try:
        target.hardlink_to(file)
    except OSError:
        return False
    return True
