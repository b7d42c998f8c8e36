"""Adapters that become other files: sums, archives to pass on, models for a fixed deployment."""

import argparse
import math
import sys
from pathlib import Path

from ...errors import AdapterError, SettingsError
from .place import Answer, Place


def compose(place: Place, options: argparse.Namespace) -> Answer:
    """A new adapter out of ``ID[=SCALE]`` …"""
    from ...store.adapters.composing import Share
    from ...store.adapters.composing import compose as publish_sum

    shares = []
    for text in options.shares:
        name, given, scale = text.rpartition("=")
        adapter = place.find(name if given else text)
        shares.append(Share(adapter, _number(scale, text) if given else adapter.scale))
    made = publish_sum(place.registry, shares)
    size = f"{made.size / 1e6:.1f} MB"
    return Answer.lines(
        {"adapter": made.id, "rank": made.rank, "size": made.size},
        [
            f"{made.id}: the sum of {len(shares)} adapters, rank {made.rank}, {size}",
            f"no gate has judged it; `tenon adapters use {made.id}` has it serve",
        ],
    )


def merge(place: Place, options: argparse.Namespace) -> Answer:
    """One GGUF out of an adapter and the installed model that it belongs to."""
    from rich.console import Console
    from rich.progress import Progress

    from ...store.adapters.deployment import deploy
    from ...store.adapters.sharing import base_of
    from ...store.merging import TYPES

    kind = options.type.upper() if options.type else None
    if kind is not None and kind not in TYPES:
        raise SettingsError(f"{options.type!r} cannot be written; give one of {', '.join(TYPES)}")
    adapter = place.find(options.adapter)
    model = place.models.verify(base_of(adapter, place.models))
    scale = adapter.scale if options.scale is None else options.scale
    output = _output(options.output, force=options.force)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(output.name, total=None)
        kind = deploy(
            model,
            adapter,
            scale,
            output,
            kind=kind,
            advance=lambda done, total: bar.update(task, completed=done, total=total),
        )
    size = output.stat().st_size
    return Answer.lines(
        {"file": str(output), "type": kind, "size": size, "adapter": adapter.id, "scale": scale},
        [f"{output}: {model.name} with {scale:g} x {adapter.id}, {kind}, {size / 1e6:,.0f} MB"],
    )


def export(place: Place, options: argparse.Namespace) -> Answer:
    """An archive of one adapter."""
    from ...store.adapters.sharing import export_adapter

    adapter = place.find(options.adapter)
    output = _output(options.file, force=options.force)
    size = export_adapter(adapter, output, with_peft=options.with_peft)
    if adapter.lost:
        print(
            f"tenon: the gate rejected {adapter.id}: {adapter.gate.reason}; whoever imports it is "
            "told",
            file=sys.stderr,
        )
    return Answer.lines(
        {"file": str(output), "adapter": adapter.id, "size": size},
        [f"{output}: {adapter.id}, {size / 1e6:.1f} MB; `tenon adapters import` takes it in"],
    )


def take_in(place: Place, options: argparse.Namespace) -> Answer:
    """An adapter out of an archive."""
    from ...store.adapters.sharing import import_adapter

    before = {adapter.id for adapter in place.registry.all()}
    adapter = import_adapter(place.registry, place.models, options.file)
    new = adapter.id not in before
    lines = [
        f"{adapter.id} {'was imported' if new else 'is here already'}, of {adapter.repository}",
        f"`tenon adapters use {adapter.id}` has it serve {place.whose}",
    ]
    if adapter.lost:
        lines.append("a gate had rejected it, so that needs --force")
    return Answer.lines({"adapter": adapter.id, "new": new, "verdict": adapter.verdict}, lines)


def _output(path: Path, *, force: bool) -> Path:
    """Where to write, unless that would replace something; the folder exists."""
    path = path.expanduser().absolute()
    if path.is_dir() or not path.parent.is_dir():
        raise AdapterError(f"{path} is a folder, or lies in none; give the path of a new file")
    if path.exists() and not force:
        raise AdapterError(f"{path} exists; give another name, or --force to replace it")
    return path


def _number(text: str, share: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise AdapterError(f"{share!r} has no scale after its =; give a number, as in ID=0.5")
    return value
