"""The one command line, ``tenon …``; a command's module is imported only when it runs."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

from . import __version__
from .errors import TenonError

COMMANDS = {
    "adapters": "list, choose, roll back, combine and share what was learnt of a repository",
    "complete": "complete at PATH:LINE:COL, as the editor would",
    "demo": "complete at several places of real source files and show the answers",
    "engine": "run the completion engine (loopback HTTP); started on demand otherwise",
    "eval": "score a model or an adapter on a fill-in-the-middle data set",
    "index": "tell what is known of a repository, and which files are left out",
    "models": "list, pull, choose, import and remove models",
    "report": "tell what was learnt of a repository and how it fared, or make a page of it",
    "serve": "run the language server for an editor",
    "setup": "install what only training needs, after saying how large it is",
    "status": "tell what runs, which model serves, and why not",
    "train": "learn a repository; the adapter serves only if it proves better",
    "train-base": "train the starter base to fill the middle (GPU)",
    "watch": "learn a repository again whenever there is enough new in it",
}
TRAINING = {
    "eval": "training.commands.evaluate",
    "train": "training.commands.train",
    "train-base": "training.commands.train_base",
    "watch": "training.commands.watch",
}
"""Commands of the other package, which serving never imports: they are named, and loaded late."""

EPILOG = """examples:
  tenon demo                            see it work, offline, with the starter model
  tenon complete src/app.py:42:9        one completion in a shell
  tenon models list                     what can be served, its licence and its size
  tenon serve --stdio                   what an editor starts
"""


def build_parser(command: str | None) -> argparse.ArgumentParser:
    """The parser, with arguments for ``command`` alone; the other modules stay unimported."""
    parser = argparse.ArgumentParser(
        prog="tenon",
        description="Inline code completions that have learned your repository, on your machine.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"tenon {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, description in COMMANDS.items():
        child = commands.add_parser(name, help=description, description=description)
        if name == command:
            _module(name).add_arguments(child)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status (0 done, 1 failed, 2 wrong usage)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    chosen = next((word for word in arguments if word in COMMANDS), None)
    try:
        options = build_parser(chosen).parse_args(arguments)
        status: int = _module(options.command).run(options)
    except TenonError as error:
        print(f"tenon: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `tenon … | head`: nobody reads on, and the interpreter must not try
        sys.stdout = None
        return 0
    except OSError as error:
        print(f"tenon: {_what_to_do(error)}", file=sys.stderr)  # noqa: T201
        return 1
    return status


def _module(command: str) -> ModuleType:
    """A command's module; raises TenonError if it needs what `tenon setup train` installs."""
    name = TRAINING.get(command)
    if name is None:
        return import_module(f".commands.{command}", __package__)
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in {"training", "lsp_server"}:
            raise
        raise TenonError(
            f"`tenon {command}` needs {error.name}, which is installed with the other packages for "
            "training: run `tenon setup train`"
        ) from error


def _what_to_do(error: OSError) -> str:
    """What failed, on which path, and the way round it."""
    from .store.paths import StorePaths

    home = StorePaths.default().root
    path = error.filename or home
    return (
        f"{path} cannot be used ({error.strerror or error}); make it accessible and see that its "
        f"disk has room, or set TENON_HOME to another folder than {home}"
    )
