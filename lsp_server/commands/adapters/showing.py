"""What adapters there are, as a table in a terminal and as lines elsewhere; and all about one."""

import argparse
import sys
from collections.abc import Iterator
from typing import Any

import msgspec

from ...adapter_listing import adapter_list
from ...protocol import AdapterLine, AdapterList
from ...store.adapters import StoredAdapter
from ...store.adapters.manifest import AdapterManifest
from .place import Answer, Place

HEADINGS = ("", "Adapter", "Commit", "Verdict", "Gain", "Rank", "Size", "Base", "Notes")


def listed(place: Place, options: argparse.Namespace) -> Answer:
    """Every adapter, newest first; the JSON is ``tenon/adapters``' answer."""
    del options
    found = adapter_list(place.paths, place.root, place.base)
    return Answer(found, lambda: _show(found))


def shown(place: Place, options: argparse.Namespace) -> Answer:
    """The manifest, what is noted on it, and the gate's report as it stands on the disk."""
    adapter = place.find(options.adapter)
    marks, choice = place.registry.marks(adapter), place.choosing.choice()
    value: dict[str, Any] = {
        name: getattr(adapter, name) for name in AdapterManifest.__struct_fields__
    }
    value |= {
        "path": str(adapter.path),
        "active": choice is not None and choice.adapter_id == adapter.id,
        "pinned": marks.pinned,
        "tags": marks.tags,
    }
    return Answer.lines(value, list(_lines(adapter, value)))


def _show(found: AdapterList) -> None:
    for line in _summary(found):
        print(line)
    if not found.adapters:
        return
    cells = [[*_cells(line)] for line in found.adapters]
    if not sys.stdout.isatty():
        for row in cells:
            print("  ".join(cell for cell in row if cell))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in HEADINGS:
        right = heading in {"Gain", "Rank", "Size"}
        whole = heading in {"", "Adapter", "Size"}
        table.add_column(
            heading, justify="right" if right else "left", no_wrap=whole, overflow="fold"
        )
    for row in cells:
        table.add_row(*row)
    Console(highlight=False).print(table)


def _summary(found: AdapterList) -> Iterator[str]:
    where = f", {found.origin}" if found.origin else ""
    if found.trouble:
        yield f"tenon: {found.trouble}"
    if not found.adapters:
        yield f"nothing was learnt of {found.root} yet{where}; `tenon train` learns it"
        return
    how = "your choice; `tenon adapters use auto` leaves it to the gate" if found.manual else "auto"
    yield f"{found.repository}{where}: {found.active or 'the base alone'} serves ({how})"


def _cells(line: AdapterLine) -> Iterator[str]:
    yield "*" if line.active else "-"
    yield line.id
    yield (line.commit or "")[:10]
    yield line.verdict
    yield f"{line.gain:+.3f}" if line.spans else ""
    yield f"r{line.rank}"
    yield f"{line.size / 1e6:.1f} MB"
    yield line.base
    notes = [*line.tags, *(["pinned"] if line.pinned else [])]
    if not line.usable:
        notes.append("not usable now")
    yield ", ".join(notes)


def _lines(adapter: StoredAdapter, value: dict[str, Any]) -> Iterator[str]:
    gate = adapter.gate
    notes = [*value["tags"], *(["pinned"] if value["pinned"] else [])]
    notes += ["serves now"] if value["active"] else []
    yield f"{adapter.id}  ({', '.join(notes)})" if notes else adapter.id
    yield f"repository  {adapter.repository} at {adapter.commit or 'no commit'}"
    yield f"published   {adapter.created.isoformat()} by Tenon {adapter.made_by}"
    yield f"base        {adapter.base_name} ({adapter.base[:12]}), format {adapter.fim_format}"
    yield f"verdict     {adapter.verdict}: {gate.reason}"
    if gate.spans:
        lower = "unknown" if gate.lower is None else f"{gate.lower:+.4f}"
        yield (
            f"gate        gain {gate.gain:+.4f} nats/token over {gate.spans} spans, above {lower} "
            "with 95 % confidence"
        )
    for part in adapter.parts:
        yield (
            f"made of     {part.adapter_id} of {part.repository}, x {part.scale:g} ({part.verdict})"
        )
    yield f"LoRA        rank {adapter.rank}, scale {adapter.scale:g}, {adapter.size / 1e6:.1f} MB"
    yield f"file        {adapter.path}"
    yield f"sha256      {adapter.sha256}"
    yield f"data        {adapter.data_sha256 or 'none of its own'}"
    yield f"recipe      {msgspec.json.encode(adapter.recipe).decode()}"
