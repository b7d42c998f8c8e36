"""One adapter in one file, to be passed on: a zip whose every byte is accounted for.

``archive.json`` comes first and names the other members with their sizes and checksums. Reading
extracts the members that an adapter has and nothing else, never trusts a length, and runs nothing.
"""

import hashlib
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TypeVar

import msgspec

from ... import __version__
from ...errors import AdapterError, CorruptAdapterError
from ..integrity import checksum
from .manifest import FILE, GATE, MANIFEST, PEFT, AdapterManifest

FORMAT = 1
TABLE = "archive.json"
PEFT_MEMBERS = (f"{PEFT}/adapter_config.json", f"{PEFT}/adapter_model.safetensors")
LIMITS: Mapping[str, int] = {
    TABLE: 100_000,
    MANIFEST: 1_000_000,
    GATE: 50_000_000,
    FILE: 2_000_000_000,
    PEFT_MEMBERS[0]: 1_000_000,
    PEFT_MEMBERS[1]: 4_000_000_000,
}
"""Every member that an archive may have, and the most bytes that it may hold."""
T = TypeVar("T")
_BLOCK = 1 << 20
_MOST_INFLATED = 200
"""How often larger than packed a member may be: JSON may be 20 times, a bomb is 1,000 times."""


class _Entry(msgspec.Struct, frozen=True):
    size: int
    sha256: str


class _Table(msgspec.Struct, frozen=True, kw_only=True):
    format: int
    made_by: str
    files: dict[str, _Entry]


def write_archive(folder: Path, output: Path, *, with_peft: bool = False) -> None:
    """Pack an adapter's folder; raises ``OSError``, with a torn ``output``."""
    wanted = (MANIFEST, FILE, GATE, *(PEFT_MEMBERS if with_peft else ()))
    names = [name for name in wanted if (folder / name).is_file()]
    entries = {
        name: _Entry((folder / name).stat().st_size, checksum(folder / name)) for name in names
    }
    table = _Table(format=FORMAT, made_by=__version__, files=entries)
    # Weights do not get smaller; JSON does.
    with zipfile.ZipFile(output, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(TABLE, msgspec.json.format(msgspec.json.encode(table), indent=2))
        for name in names:
            packing = zipfile.ZIP_DEFLATED if name.endswith(".json") else zipfile.ZIP_STORED
            archive.write(folder / name, name, packing)


def read_archive(path: Path, folder: Path) -> AdapterManifest:
    """Unpack an archive into an empty folder; returns what its manifest says.

    Raises AdapterError (no such file, of a newer Tenon), CorruptAdapterError for anything that
    :func:`write_archive` does not write, and ``OSError`` (disk full).
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _unpack(archive, path, folder)
    except FileNotFoundError as error:
        raise AdapterError(
            f"there is no file {path}; give a file of `tenon adapters export`"
        ) from error
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError) as error:
        raise _refusal(path, f"it is no zip, or damaged ({error})") from error


def _unpack(archive: zipfile.ZipFile, path: Path, folder: Path) -> AdapterManifest:
    members = _members(archive, path)
    table = _decode(_content(archive, members, TABLE, path), _Table, path)
    if table.format > FORMAT:
        raise AdapterError(
            f"{path.name} was made by Tenon {table.made_by}, and this one cannot read its format "
            f"{table.format}; update Tenon, or have it exported by {__version__}"
        )
    if set(table.files) != set(members) - {TABLE}:
        raise _refusal(path, f"{TABLE} does not name the files that there are")
    for name in (MANIFEST, FILE):
        if name not in members:
            raise _refusal(path, f"{name} is missing")
    for name, entry in table.files.items():
        target = folder / name
        target.parent.mkdir(exist_ok=True)
        with archive.open(members[name]) as source, target.open("xb") as file:
            found = _copy(source, file, entry.size)
        if found != entry.sha256 or target.stat().st_size != entry.size:
            raise _refusal(path, f"{name} is not what it was when the file was made")
    return _decode((folder / MANIFEST).read_bytes(), AdapterManifest, path)


def _members(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    """The members by name, if each is one that an adapter has: no path leads anywhere else."""
    members: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        name = member.filename
        if name not in LIMITS or member.orig_filename != name:
            raise _refusal(path, f"it holds {name!r}, which no adapter has")
        if name in members:
            raise _refusal(path, f"it holds {name} twice")
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in {0, stat.S_IFREG} or member.flag_bits & 1:
            raise _refusal(path, f"{name} is a link, or encrypted")
        if member.file_size > LIMITS[name]:
            raise _refusal(path, f"{name} claims {member.file_size:,} bytes")
        if member.file_size > max(_BLOCK, member.compress_size * _MOST_INFLATED):
            raise _refusal(path, f"{name} claims to unpack to {member.file_size:,} bytes")
        members[name] = member
    if TABLE not in members:
        raise _refusal(path, f"{TABLE} is missing")
    return members


def _content(
    archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], name: str, path: Path
) -> bytes:
    with archive.open(members[name]) as source:
        data = source.read(LIMITS[name] + 1)
    if len(data) > LIMITS[name]:
        raise _refusal(path, f"{name} is longer than it says")
    return data


def _copy(source: IO[bytes], target: IO[bytes], size: int) -> str:
    """Copy at most ``size`` bytes and one more; returns the sha256 of what was copied."""
    digest, left = hashlib.sha256(), size + 1
    while left and (block := source.read(min(_BLOCK, left))):
        digest.update(block)
        target.write(block)
        left -= len(block)
    return digest.hexdigest()


def _decode(data: bytes, kind: type[T], path: Path) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _refusal(path, f"what it says of itself cannot be read ({error})") from error


def _refusal(path: Path, why: str) -> CorruptAdapterError:
    return CorruptAdapterError(
        f"{path.name} is no adapter that can be imported: {why}; have it exported again"
    )
