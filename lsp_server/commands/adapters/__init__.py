"""``tenon adapters``: what was learnt of a repository, which of it serves, and how it is shared."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...errors import SettingsError
from . import choosing, files, showing
from .place import Answer, Place

ACTIONS: dict[str, Callable[[Place, argparse.Namespace], Answer]] = {
    "list": showing.listed,
    "show": showing.shown,
    "use": choosing.use,
    "rollback": choosing.roll_back,
    "remove": choosing.remove,
    "pin": choosing.pin,
    "unpin": choosing.unpin,
    "tag": choosing.tag,
    "untag": choosing.untag,
    "compose": files.compose,
    "merge": files.merge,
    "export": files.export,
    "import": files.take_in,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions; an ID is an id, how one begins, a tag or a commit."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, explanation: str) -> argparse.ArgumentParser:
        child = actions.add_parser(name, help=explanation, description=explanation)
        child.add_argument(
            "--repo", type=Path, metavar="FOLDER", help="default: the repository around this folder"
        )
        child.add_argument("--json", action="store_true", help="the same for a program")
        return child

    def of_one(name: str, explanation: str) -> argparse.ArgumentParser:
        child = action(name, explanation)
        child.add_argument("adapter", metavar="ID")
        return child

    action("list", "every adapter of a repository, with the gate's verdict")
    of_one("show", "one adapter: the gate's figures, the recipe, the commit, the base")
    use = of_one("use", "have an adapter serve until you say otherwise; or `none`, or `auto`")
    use.add_argument("--scale", type=float, help="default: the one that the gate chose")
    use.add_argument("--force", action="store_true", help="also one that lost against what served")
    rollback = action("rollback", "back to what served before, or to any adapter")
    rollback.add_argument("adapter", metavar="ID", nargs="?")
    of_one("remove", "delete an adapter")
    of_one("pin", "keep an adapter, however old it gets")
    of_one("unpin", "leave it to `[adapters] keep` in tenon.toml again")
    of_one("tag", "give an adapter a name").add_argument("tag", metavar="NAME")
    action("untag", "take a name away").add_argument("tag", metavar="NAME")
    compose = action("compose", "several adapters over one base as one, their weighted sum")
    compose.add_argument("shares", metavar="ID[=SCALE]", nargs="+")
    merge = of_one("merge", "base and adapter as one GGUF, for a machine where nothing is learnt")
    merge.add_argument("--output", metavar="FILE.gguf", type=Path, required=True)
    merge.add_argument("--type", help="of the layers: Q4_0, Q8_0, F16, … (default: the base's)")
    merge.add_argument("--scale", type=float, help="default: the one that the gate chose")
    merge.add_argument("--force", action="store_true", help="replace a file that is there")
    export = of_one("export", "an adapter as one file, to pass on")
    export.add_argument("file", metavar="FILE.tenon", type=Path)
    export.add_argument("--with-peft", action="store_true", help="as peft loads it, besides")
    export.add_argument("--force", action="store_true", help="replace a file that is there")
    taking = action("import", "take in an exported adapter; it serves once you `use` it")
    taking.add_argument("file", metavar="FILE.tenon", type=Path)


def run(options: argparse.Namespace) -> int:
    """Returns 0; failures are raised as TenonError and shown by the caller."""
    if options.repo is not None and not options.repo.is_dir():
        raise SettingsError(f"{options.repo} is no folder; give the root of a repository")
    answer = ACTIONS[options.action](Place.of(options.repo), options)
    if options.json:
        print(json.dumps(_plain(answer.value), indent=2))
    else:
        answer.show()
    return 0


def _plain(value: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(value)
