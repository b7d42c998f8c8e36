"""``tenon report``: what Tenon learnt of a repository and how its suggestions fared."""

import argparse
import sys
from pathlib import Path

from ..report.material import collect
from ..report.summary import summary
from ..store.paths import StorePaths, replace_file
from .complete import repository_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the repository and the form of the report."""
    parser.add_argument(
        "repository",
        metavar="REPO",
        nargs="?",
        type=Path,
        help="a folder or file of the repository; this folder if left out",
    )
    parser.add_argument(
        "--html",
        metavar="FILE",
        help="write a page with plots to a file, or to standard output (-)",
    )


def run(options: argparse.Namespace) -> int:
    """Print the summary, or write the page; returns 0, also where there is nothing yet."""
    given = (options.repository or Path.cwd()).absolute()
    root = given if options.repository and given.is_dir() else repository_of(given / "_")
    material = collect(StorePaths.default(), root)
    if options.html is None:
        print("\n".join(summary(material)))
        return 0
    from ..report.page import page  # brings matplotlib in

    made = page(material).encode()
    if options.html == "-":
        sys.stdout.buffer.write(made)
    else:
        replace_file(Path(options.html), made)
        print(f"{options.html} has the report")
    return 0
