"""What pip would download for some requirements, and how large it is; installs nothing."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import httpx

from ..errors import TenonError


class ResolutionError(TenonError):
    """pip is missing, or could not resolve."""


@dataclass(frozen=True, slots=True)
class Download:
    """One file that pip would fetch; ``size`` in bytes, None if it could not be had."""

    name: str
    version: str
    url: str
    size: int | None


def pip_command() -> list[str]:
    """The running interpreter's pip. Raises ResolutionError if there is none (a uv venv)."""
    if importlib.util.find_spec("pip") is None:
        raise ResolutionError(
            f"{sys.executable} has no pip; run `{sys.executable} -m ensurepip`, then again"
        )
    return [sys.executable, "-m", "pip"]


def resolve(
    requirements: Sequence[str], constraints: Path, pip_options: Sequence[str], scratch: Path
) -> list[Download]:
    """What ``pip install`` would download now, largest first; empty if all is installed.

    ``pip_options`` go to pip as they are, and pip's own configuration holds. Raises
    ResolutionError with pip's reason.
    """
    report = scratch / "report.json"
    options = [
        "install", "--dry-run", "--quiet", "--report", str(report), "-c", str(constraints),
        *pip_options, *requirements,
    ]  # fmt: skip
    environment = _recent_pip(scratch)
    # Without fast-deps pip fetches whole wheels from an index that serves no metadata files,
    # which is the very download that is to be asked about. It is experimental: do without it
    # if this pip has it no more.
    for features in (["--use-feature=fast-deps"], []):
        outcome = subprocess.run(
            [*pip_command(), *options, *features],
            check=False,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            stdin=subprocess.DEVNULL,
            env=environment,
        )
        if outcome.returncode == 0:
            break
    else:
        raise ResolutionError(
            f"pip could not resolve what training needs:\n{outcome.stderr.strip()}\n"
            "Check the connection and the index (`pip config list`); options after -- go to pip"
        )
    return _downloads(json.loads(report.read_text(encoding="utf-8")))


def _recent_pip(scratch: Path) -> dict[str, str]:
    """An environment in which ``-m pip`` is a recent one, put into ``scratch`` alone.

    The pip that comes with Python 3.11 downloads every wheel even for a dry run. If a recent one
    cannot be had, the venv's own serves.
    """
    environment = os.environ | {"PYTHONSAFEPATH": "1", "PYTHONIOENCODING": "utf-8"}
    target = scratch / "pip"
    command = [
        *pip_command(), "install", "--quiet", "--no-deps", "--disable-pip-version-check",
        "--target", str(target), "pip>=25.1",
    ]  # fmt: skip
    done = subprocess.run(
        command, check=False, capture_output=True, stdin=subprocess.DEVNULL, env=environment
    )
    return environment | {"PYTHONPATH": str(target)} if done.returncode == 0 else environment


def _downloads(report: dict[str, Any]) -> list[Download]:
    """From pip's installation report (format 1), with the sizes asked for side by side."""
    urls = [item["download_info"]["url"] for item in report["install"]]
    with httpx.Client(follow_redirects=True, timeout=10.0) as client, ThreadPoolExecutor(8) as pool:
        sizes = list(pool.map(lambda url: _size_of(url, client), urls))
    found = [
        Download(item["metadata"]["name"], item["metadata"]["version"], url, size)
        for item, url, size in zip(report["install"], urls, sizes, strict=True)
    ]
    return sorted(found, key=lambda download: download.size or 0, reverse=True)


def _size_of(url: str, client: httpx.Client) -> int | None:
    parts = urlsplit(url)
    try:
        if parts.scheme == "file":
            return Path(url2pathname(parts.path)).stat().st_size
        length = client.head(url).raise_for_status().headers.get("content-length", "")
    except (httpx.HTTPError, httpx.InvalidURL, OSError):
        return None
    return int(length) if length.isdigit() else None
