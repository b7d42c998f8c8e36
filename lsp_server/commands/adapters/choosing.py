"""Which adapter serves, and which are kept."""

import argparse
import math

from ...errors import AdapterError, WrongBaseError
from ...store.adapters import StoredAdapter
from ...store.adapters.choice import NOTHING
from .place import Answer, Place

_SOON = "an open editor has it within a second"


def use(place: Place, options: argparse.Namespace) -> Answer:
    """An adapter, ``none`` or ``auto``."""
    name, registry = options.adapter, place.registry
    if options.scale is not None and not (math.isfinite(options.scale) and options.scale):
        raise AdapterError(
            f"the scale {options.scale:g} cannot serve; `use none` has the base serve"
        )
    if name == "none":  # of this folder alone: a worktree's choice is not its main checkout's
        place.own.deactivate()
    elif name == "auto":
        place.choosing.automatic(place.base)
    else:
        adapter = place.find(name)
        _check_base(place, adapter)
        registry.activate(adapter.id, options.scale, force=options.force)
        place.follow()
    return _told(place)


def roll_back(place: Place, options: argparse.Namespace) -> Answer:
    """What served before, or an adapter of the user's choice."""
    if options.adapter is None:
        place.choosing.rollback(base=place.base)
        return _told(place)
    adapter = place.find(options.adapter)
    _check_base(place, adapter)
    place.registry.rollback(adapter.id)
    place.follow()
    return _told(place)


def remove(place: Place, options: argparse.Namespace) -> Answer:
    """Deletes one that neither serves nor is pinned."""
    adapter = place.find(options.adapter)
    place.registry.remove(adapter.id)
    return Answer.lines({"removed": adapter.id}, [f"removed {adapter.id} of {place.whose}"])


def pin(place: Place, options: argparse.Namespace) -> Answer:
    """Keeps it."""
    return _pin(place, options, pinned=True)


def unpin(place: Place, options: argparse.Namespace) -> Answer:
    """Keeps it no longer than others."""
    return _pin(place, options, pinned=False)


def tag(place: Place, options: argparse.Namespace) -> Answer:
    """Another adapter of that name loses it."""
    adapter = place.find(options.adapter)
    place.registry.tag(adapter.id, options.tag)
    value = {"adapter": adapter.id, "tag": options.tag}
    return Answer.lines(value, [f"{options.tag} is {adapter.id} now"])


def untag(place: Place, options: argparse.Namespace) -> Answer:
    """The adapter stays."""
    place.registry.tag(None, options.tag)
    value = {"adapter": None, "tag": options.tag}
    return Answer.lines(value, [f"no adapter is called {options.tag} any more"])


def _pin(place: Place, options: argparse.Namespace, *, pinned: bool) -> Answer:
    adapter = place.find(options.adapter)
    place.registry.pin(adapter.id, pinned=pinned)
    what = "is kept, however old it gets" if pinned else "is kept no longer than others"
    return Answer.lines({"adapter": adapter.id, "pinned": pinned}, [f"{adapter.id} {what}"])


def _check_base(place: Place, adapter: StoredAdapter) -> None:
    """Raises WrongBaseError for an adapter that could not serve: the base alone would."""
    model = place.model
    if model is not None and model.identity != adapter.base:
        raise WrongBaseError(
            f"the adapter {adapter.id} belongs to {adapter.base_name} ({adapter.base[:12]}), and "
            f"{model.name} is chosen; run `tenon models use {adapter.base_name}` first"
        )


def _told(before: Place) -> Answer:
    """What serves the folder now, by whose choice and for how long."""
    place = Place.of(before.root)
    choice = place.choosing.choice() or NOTHING
    value = {
        "active": choice.adapter_id,
        "scale": choice.scale if choice.adapter_id else None,
        "manual": choice.manual,
        "root": str(place.serving.store.root),
    }
    who = "the base alone"
    if choice.adapter_id:
        who = f"{choice.adapter_id} at the scale {choice.scale:g}"
    until = "until the gate promotes a better one"
    if choice.manual:
        until = "whatever is promoted, until `tenon adapters use auto`"
    lines = [f"{who} serves {place.whom}, {until}; {_SOON}"]
    adapter = place.find(choice.adapter_id) if choice.adapter_id else None
    if adapter is not None and adapter.lost:
        lines.append(f"a gate had rejected it: {adapter.gate.reason}")
    return Answer.lines(value, lines)
