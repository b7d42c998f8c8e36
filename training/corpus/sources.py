"""The Python files of one source: a wheel, a commit of a repository, or the standard library."""

import email.parser
import hashlib
import io
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from .licences import declared, permissive
from .manifest import ManifestError, Source

CUTOFF = (2026, 1, 1)
"""The evaluation holds code that is new since; nothing in the corpus may be."""


def download(sources: Sequence[Source], folder: Path) -> None:
    """Fetches the wheels that are missing, each only if its checksum is the manifest's.

    Some are built for Linux on x86-64 and Python 3.11, so pip is told to take those anywhere.
    """
    folder.mkdir(parents=True, exist_ok=True)
    present = wheels(folder)
    for source in sources:
        if source.kind != "pypi" or source.sha256 in present:
            continue
        requirement = folder / "requirement.txt"
        requirement.write_text(f"{source.what} --hash=sha256:{source.sha256}\n", encoding="utf-8")
        platforms = (f"manylinux_2_{glibc}_x86_64" for glibc in (28, 27, 17, 12, 5))
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes"]
        command += ["--only-binary", ":all:", "--python-version", "3.11", "--dest", str(folder)]
        for platform in (*platforms, "manylinux2014_x86_64", "manylinux1_x86_64", "any"):
            command += ["--platform", platform]
        subprocess.run([*command, "--requirement", str(requirement)], check=True)
        requirement.unlink()


def wheels(folder: Path) -> dict[str, Path]:
    """The wheels that lie in a folder, by checksum."""
    return {
        hashlib.sha256(path.read_bytes()).hexdigest(): path for path in sorted(folder.glob("*.whl"))
    }


def python_files(
    source: Source, wheel: Path | None, repositories: Path
) -> Iterator[tuple[str, bytes]]:
    """(path, content) of every .py file of a source, in the order of the paths.

    ``repositories`` holds git folders named ``OWNER+NAME``. Raises ManifestError if the source
    cannot be had, is newer than the cutoff, or declares a licence that we do not take.
    """
    if source.kind == "pypi":
        if wheel is None:
            raise ManifestError(f"{source.name}: no wheel with the manifest's checksum.")
        yield from _wheel_files(source, wheel)
    elif source.kind == "github":
        yield from _repository_files(source, repositories)
    else:
        yield from _library_files(source)


def wheel_licence(wheel: Path) -> str:
    """What the wheel's metadata declares, in one line."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        text = archive.read(names[0]).decode("utf-8", "replace") if names else ""
    fields = email.parser.HeaderParser().parsestr(text)
    return declared(
        fields.get("License-Expression"), fields.get_all("Classifier", []), fields.get("License")
    )


def _wheel_files(source: Source, wheel: Path) -> Iterator[tuple[str, bytes]]:
    if not permissive(wheel_licence(wheel)):
        raise ManifestError(f"{source.name}: its licence is not one that we take.")
    with zipfile.ZipFile(wheel) as archive:
        members = archive.infolist()
        if max(member.date_time[:3] for member in members) >= CUTOFF:
            raise ManifestError(f"{source.name}: holds files newer than the cutoff.")
        for member in sorted(members, key=lambda member: member.filename):
            if member.filename.endswith(".py"):
                yield member.filename, archive.read(member)


def _repository_files(source: Source, repositories: Path) -> Iterator[tuple[str, bytes]]:
    name, _, commit = source.what.partition("@")
    folder = repositories / name.replace("/", "+")
    # Only what is asked for: a partial copy of a repository need not hold its large pictures.
    command = ["git", "-C", str(folder), "archive", "--format=tar", commit, ":(glob)**/*.py"]
    content = subprocess.run(command, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in sorted(archive.getmembers(), key=lambda member: member.name):
            file = archive.extractfile(member) if member.isfile() else None
            if file is not None and member.name.endswith(".py"):
                yield member.name, file.read()


def _library_files(source: Source) -> Iterator[tuple[str, bytes]]:
    running = ".".join(map(str, sys.version_info[:3]))
    if source.what != running:
        raise ManifestError(f"{source.name}: run the build with this Python, not {running}.")
    root = Path(sysconfig.get_path("stdlib"))
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        if "site-packages" not in relative.parts:
            yield relative.as_posix(), path.read_bytes()
