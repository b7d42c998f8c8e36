"""One installed model: what its folder is called, what its manifest says, where its file lies."""

import re
from pathlib import Path
from typing import Literal

import msgspec

from ..errors import ModelError
from .catalogue import untrainable_reason
from .integrity import Fingerprint
from .paths import replace_file

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}(?<!\.)")
# Windows gives these to devices, whatever the extension.
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


class ModelManifest(msgspec.Struct, frozen=True, kw_only=True):
    """What ``models/<name>/model.json`` says; written last, so that it vouches for the file.

    ``file`` is a name inside the folder, ``size`` in bytes, ``context`` in tokens, ``license`` an
    SPDX expression, LicenseRef, or what the file's author wrote (None if nothing), ``params`` the
    number of weights, ``fim`` a name in :data:`lsp_server.prompt.formats.FORMATS`. ``base_id`` is
    what a merged model was made of, see :func:`lsp_server.store.catalogue.base_id`, ``made_by`` the
    version of the Tenon that merged it.
    """

    name: str
    file: str
    sha256: str
    size: int
    fim: str
    context: int | None
    license: str | None
    params: int
    architecture: str
    source: Literal["wheel", "hub", "file", "merged"]
    fingerprint: Fingerprint
    base_id: str | None = None
    made_by: str | None = None

    @property
    def identity(self) -> str:
        """What an adapter over this model belongs to: the same on every machine.

        A merged file is not: its bytes follow from how a machine rounds.
        """
        return self.base_id or self.sha256

    @property
    def untrainable_reason(self) -> str | None:
        return untrainable_reason(self.architecture)

    @property
    def trainable(self) -> bool:
        return self.untrainable_reason is None


class InstalledModel(ModelManifest, frozen=True, kw_only=True):
    """A manifest and where its GGUF lies.

    Load it only after :meth:`lsp_server.store.models.ModelStore.verify`.
    """

    path: Path


def read_manifest(folder: Path) -> InstalledModel | None:
    """The model in a folder; None if there is none, or its manifest cannot be read."""
    try:
        data = (folder / "model.json").read_bytes()
        manifest = msgspec.json.decode(data, type=ModelManifest)
    except (OSError, msgspec.DecodeError):
        return None
    # Only ever a name inside the folder, whatever a hand has written into the manifest.
    return located(manifest, folder / Path(manifest.file).name)


def write_manifest(folder: Path, manifest: ModelManifest) -> None:
    """Replace a folder's manifest in one step; from then on the folder is that model."""
    facts = {field: getattr(manifest, field) for field in ModelManifest.__struct_fields__}
    encoded = msgspec.json.format(msgspec.json.encode(ModelManifest(**facts)), indent=2)
    replace_file(folder / "model.json", encoded + b"\n")


def located(manifest: ModelManifest, path: Path) -> InstalledModel:
    """The same facts with the place of the file."""
    facts = {field: getattr(manifest, field) for field in ModelManifest.__struct_fields__}
    return InstalledModel(**facts, path=path)


def is_valid_name(name: str) -> bool:
    """Whether a name is a safe folder on Linux, macOS and Windows alike."""
    return _NAME.fullmatch(name) is not None and _RESERVED.fullmatch(name) is None


def check_name(name: str) -> None:
    """Raises ModelError, which says what a name may look like."""
    if not is_valid_name(name):
        raise ModelError(
            f"{name!r} cannot be a model's name: use up to 64 small letters, digits, '.', '-' and "
            f"'_', as in {name_from(name)!r}"
        )


def name_from(text: str) -> str:
    """The nearest usable name, for a file's stem or for what a user typed."""
    cleaned = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("._-")[:64].rstrip("._-")
    return cleaned if is_valid_name(cleaned) else f"model-{cleaned}"[:64].rstrip("._-")
