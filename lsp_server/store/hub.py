"""A model file from a Hugging Face hub, resumed where an earlier transfer broke off.

``hf_hub_download`` of huggingface_hub 2 deletes what had arrived when a transfer fails
(huggingface_hub#4228), so its parts are used one by one: URL, headers with the user's token,
metadata, and ``http_get``, which resumes.
"""

import os
import re
from pathlib import Path
from typing import Any, BinaryIO, Self, cast

import httpx2
import msgspec
from huggingface_hub import get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
from huggingface_hub.file_download import HfFileMetadata, http_get
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

from ..errors import CorruptModelError, DownloadError
from .catalogue import CatalogueEntry
from .reach import endpoint, is_offline
from .transfer import Transfer, check_room

_SHA256 = re.compile(r"[0-9a-f]{64}")
_TIMEOUT = 15.0  # seconds for the metadata, which is one small answer


def fetch(entry: CatalogueEntry, folder: Path, transfer: Transfer) -> tuple[CatalogueEntry, Path]:
    """Download ``entry`` into ``folder``; returns the entry with its checksum, and the file.

    The file's name holds the checksum, so that only the same content is ever continued. Where the
    catalogue pins a revision alone, the checksum is the hub's own. The caller verifies the file.
    Raises DownloadError (what has arrived is kept), CorruptModelError, ``OSError``.
    """
    host = endpoint()
    if is_offline():
        raise DownloadError(
            f"HF_HUB_OFFLINE forbids the download of {entry.name}; unset it, or fetch the file "
            "elsewhere and run `tenon models import FILE`"
        )
    if entry.hub_repo is None or entry.hub_file is None:
        raise DownloadError(f"the catalogue names no hub file for {entry.name}")
    url = hf_hub_url(entry.hub_repo, entry.hub_file, revision=entry.revision, endpoint=host)
    try:
        metadata = get_hf_file_metadata(url, timeout=_TIMEOUT, endpoint=host)
        pinned = _pinned(entry, metadata)
        partial = folder / f"{pinned.sha256}.part"
        _continue(url, partial, pinned.size, transfer)
    except HfHubHTTPError as error:
        raise _refused(entry, host, error) from error
    except OfflineModeIsEnabled as error:
        raise DownloadError(f"huggingface_hub is set to offline: {error}") from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise DownloadError(
            f"cannot get {entry.name} from {host} ({type(error).__name__}: {error}); check the "
            "connection and HTTPS_PROXY, set HF_ENDPOINT to a mirror, or fetch the file elsewhere "
            "and run `tenon models import FILE`. What has arrived is kept: run the command again "
            "to continue"
        ) from error
    except OSError as error:
        if error.errno is not None:
            raise
        # http_get's own count of the bytes; without an errno it is not the disk that failed.
        raise DownloadError(
            f"{entry.name} arrived incomplete from {host}; run the command again to continue"
        ) from error
    return pinned, partial


def _pinned(entry: CatalogueEntry, metadata: HfFileMetadata) -> CatalogueEntry:
    """The entry with size and checksum, from the hub where the catalogue has none."""
    served = metadata.etag if metadata.etag and _SHA256.fullmatch(metadata.etag) else None
    sha256 = entry.sha256 or served
    if sha256 is None:
        raise DownloadError(
            f"the hub gives no sha256 for {entry.name}, so it could not be checked; fetch the file "
            "from a source you trust and run `tenon models import FILE`"
        )
    changed = served is not None and served != sha256
    resized = None not in {entry.size, metadata.size} and entry.size != metadata.size
    if changed or resized:
        raise CorruptModelError(
            f"the hub serves another file than the catalogue's {entry.name}; nothing was "
            "downloaded. Update Tenon, or fetch the file you want and run "
            "`tenon models import FILE`"
        )
    return msgspec.structs.replace(entry, sha256=sha256, size=entry.size or metadata.size)


def _continue(url: str, partial: Path, size: int | None, transfer: Transfer) -> None:
    have = partial.stat().st_size if partial.exists() else 0
    if size is not None:
        if have > size:  # not by us; nothing to continue
            partial.unlink()
            have = 0
        check_room(partial.parent, size - have)
    with partial.open("ab") as file:
        transfer.advance(have, size)
        http_get(
            url,
            cast("BinaryIO", _Watched(file, size, transfer)),
            resume_size=have,
            headers=build_hf_headers(),
            expected_size=size,
            displayed_filename=partial.name,
            tqdm_class=cast("Any", _Silent),
        )
        file.flush()
        os.fsync(file.fileno())


class _Watched:
    """A file that reports every block written to it, and stops where the user asked to."""

    def __init__(self, file: BinaryIO, size: int | None, transfer: Transfer) -> None:
        self.file = file
        self.size = size
        self.transfer = transfer

    def write(self, data: bytes) -> int:
        written = self.file.write(data)
        self.transfer.advance(self.file.tell(), self.size)
        return written

    def tell(self) -> int:
        return self.file.tell()

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.file.seek(offset, whence)

    def truncate(self, size: int | None = None) -> int:
        return self.file.truncate(size)


class _Silent:
    """Progress goes through :class:`Transfer`; a second bar would break a server's stderr."""

    def __init__(self, **_options: Any) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def update(self, count: int) -> None:
        """Called with the bytes of every block."""


def _refused(entry: CatalogueEntry, host: str, error: HfHubHTTPError) -> DownloadError:
    status = error.response.status_code
    page = f"{host}/{entry.hub_repo}"
    if status in {401, 403}:
        return DownloadError(
            f"the hub wants a login for {entry.name} ({status}): accept its licence at {page}, "
            "then set HF_TOKEN or run `hf auth login`, and pull again"
        )
    if status == 404:
        return DownloadError(
            f"the hub has no {entry.hub_file} at {page} ({status}); it was moved or deleted: "
            "update Tenon, or fetch the file elsewhere and run `tenon models import FILE`"
        )
    return DownloadError(
        f"the hub could not deliver {entry.name} ({status}); try again in a few minutes, what has "
        "arrived is kept"
    )
