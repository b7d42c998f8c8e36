"""``tenon setup train``: install what only training needs, after saying how large it is."""

import argparse
import subprocess
import sys
import tempfile
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement

from ..errors import TenonError
from .resolution import Download, pip_command, resolve

DISTRIBUTION = "tenon-lsp"


class SetupError(TenonError):
    """pip could not resolve or install, or the user has to agree first."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare ``train`` and its options; what follows ``--`` is pip's."""
    targets = parser.add_subparsers(dest="target", metavar="TARGET", required=True)
    train = targets.add_parser(
        "train",
        help="torch and what fine-tuning needs besides",
        epilog="Options after -- go to pip, as in: tenon setup train -- --extra-index-url URL, "
        "with the URL that PyTorch's installation page names for this machine's builds",
    )
    train.add_argument("--yes", action="store_true", help="do not ask, however large it is")
    train.add_argument("--dry-run", action="store_true", help="say what would be installed")
    train.add_argument("pip_options", nargs="*", metavar="-- PIP_OPTION", help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    """Returns 0 when installed (or told, with --dry-run), 1 when the user has to agree first."""
    wanted = requirements("train")
    constraints = constraints_file()
    pip_options: list[str] = options.pip_options
    print("asking the package index what training needs ...", flush=True)
    with tempfile.TemporaryDirectory(prefix="tenon-setup-") as scratch:
        downloads = resolve(wanted, constraints, pip_options, Path(scratch))
    if not downloads:
        print("training is set up already; nothing to install")
        return 0
    for download in downloads:
        print(f"  {download.name} {download.version}  {_size(download.size)}")
    print(f"{len(downloads)} packages, {total(downloads)} to download")
    if options.dry_run:
        return 0
    if needless_cuda(downloads) and not options.yes and not _agreed(downloads):
        return 1
    command = [*pip_command(), "install", "-c", str(constraints), *pip_options, *wanted]
    if subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode != 0:
        raise SetupError(
            "pip could not install what training needs (its reason stands above); serving is not "
            "affected. Mend the reason, then run `tenon setup train` again"
        )
    print("training is set up")
    return 0


def requirements(extra: str) -> list[str]:
    """What the installed distribution declares under an extra, for this platform."""
    declared = [Requirement(text) for text in requires(DISTRIBUTION) or ()]
    chosen = [
        requirement
        for requirement in declared
        if requirement.marker is not None
        and requirement.marker.evaluate({"extra": extra})
        and not requirement.marker.evaluate({"extra": ""})
    ]
    return [f"{requirement.name}{requirement.specifier}" for requirement in chosen]


def constraints_file() -> Path:
    """``training/constraints.txt`` beside this package; found without importing ``training``."""
    path = Path(__file__).parents[2] / "training" / "constraints.txt"
    if not path.is_file():
        raise SetupError(f"{path} is missing; install tenon-lsp again")
    return path


def total(downloads: list[Download]) -> str:
    """The bytes of all downloads as a text; "at least" where a size could not be had."""
    known = sum(download.size or 0 for download in downloads)
    complete = all(download.size is not None for download in downloads)
    return _size(known) if complete else f"at least {_size(known)}"


def needless_cuda(downloads: list[Download]) -> bool:
    """Whether a CUDA build would come to a machine that has no NVIDIA GPU to run it on."""
    from ..store.recommend import Machine

    cuda = any(download.name.lower().startswith("nvidia-") for download in downloads)
    return cuda and not Machine.detect().gpu


def _agreed(downloads: list[Download]) -> bool:
    """Say how large the CUDA build is, and ask; without a terminal the answer is no."""
    print(
        f"tenon: this machine has no GPU, but the index offers only a CUDA build of torch: "
        f"{total(downloads)}.\nA CPU build is far smaller; PyTorch's installation page names an "
        "index that has it:\n"
        "  tenon setup train -- --extra-index-url URL\n"
        "or set PIP_EXTRA_INDEX_URL (or PIP_INDEX_URL) to such an index.",
        file=sys.stderr,
    )
    if not sys.stdin.isatty():
        print("tenon: to install the CUDA build all the same, add --yes", file=sys.stderr)
        return False
    return input("Download the CUDA build all the same? [y/N] ").strip().lower() in {"y", "yes"}


def _size(size: int | None) -> str:
    return "size unknown" if size is None else f"{size / 1e6:,.1f} MB"
