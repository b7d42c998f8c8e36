"""What a user can set, typed; a value that cannot be used falls back and is named once."""

from dataclasses import dataclass, field, fields
from typing import Annotated, Any, Literal, get_type_hints

import msgspec

from .trainer_messages import HOURS, TrainingMode

Positive = Annotated[int, msgspec.Meta(ge=1)]
NotNegative = Annotated[int, msgspec.Meta(ge=0)]
SECTION = "tenon"


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The section ``tenon`` of the editor's settings; on the wire the names are camelCase."""

    enabled: bool = True
    """Offer inline completions."""
    disabled_languages: list[str] = field(default_factory=list)
    """Language ids in which no completions are offered, such as `markdown`."""
    model: str = ""
    """Name of the installed model to serve; empty means the one chosen with `tenon models use`."""
    engine_url: str = ""
    """A running engine to use instead of Tenon's own: vLLM, llama-server or another Tenon."""
    engine_api_key_file: str = ""
    """File that holds the bearer token for the engine at `engineUrl`."""
    latency_target_ms: Annotated[int, msgspec.Meta(ge=50, le=60_000)] = 600
    """Milliseconds that an answer may take; a slow machine then reads a shorter prompt."""
    max_lines: Annotated[int, msgspec.Meta(ge=1, le=200)] = 24
    """Most lines of one answer."""
    multiline: Literal["auto", "never", "always"] = "auto"
    """When an answer may be longer than a line; `auto` means where a block has just begun."""
    debounce_ms: Annotated[int, msgspec.Meta(ge=0, le=5_000)] = 0
    """Milliseconds without a keystroke before the engine is asked."""
    gpu_layers: Annotated[int, msgspec.Meta(ge=-1)] = -1
    """Layers to place on the GPU, if the engine was built for one; -1 means all."""
    threads: NotNegative = 0
    """CPU threads of the engine; 0 means as many as were fastest lately, at most one per physical
    core."""
    context_tokens: NotNegative = 0
    """Longest prompt plus answer, in tokens; 0 means 4096. Never more than the model was trained
    for."""
    idle_exit_seconds: NotNegative = 900
    """Seconds without a request after which the engine ends and frees its memory; 0 means never."""
    offer_models: bool = True
    """Offer, once, to download a model that suits this machine better than the starter."""
    training: TrainingMode = "automatic"
    """When a repository is learnt: `automatic` when enough of it is new, `manual` on command, `off`
    never."""
    training_min_changes: Positive = 20
    """New or changed functions after which a repository is learnt again."""
    training_idle_seconds: NotNegative = 30
    """Seconds without a keystroke before training begins by itself."""
    training_min_gap_minutes: NotNegative = 60
    """Minutes between two trainings that begin by themselves."""
    training_on_battery: bool = False
    """Let training begin, and go on, on battery power."""
    training_hours: Annotated[str, msgspec.Meta(pattern=HOURS)] = ""
    """Hours of the day in which training may begin by itself, such as `22:00-06:00`; empty means
    any."""
    base_share: Annotated[float, msgspec.Meta(ge=0, le=0.5)] = 0.0
    """Share of the requests that the base alone answers, so that acceptance can be compared."""
    feedback: bool = True
    """Keep, on this machine alone, which suggestions were shown and accepted; no source text."""
    max_file_bytes: Positive = 2_000_000
    """Largest file, in bytes, in which completions are offered."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe messages that are written to the log."""


@dataclass(frozen=True, slots=True)
class ParsedSettings:
    """Settings, and what was wrong with the values that they were read from.

    ``problems`` are sentences for the user; ``unknown`` are keys that only the log mentions.
    """

    settings: ServerSettings
    problems: list[str]
    unknown: list[str]

    @property
    def message(self) -> str:
        """One message for all problems, or an empty string."""
        if not self.problems:
            return ""
        return f"Tenon uses its defaults for some settings: {'; '.join(self.problems)}."


def parse(raw: object) -> ParsedSettings:
    """Read settings as an editor sends them: a mapping of camelCase names, or None.

    Every field is read on its own, so that one bad value costs one field. Never raises.
    """
    if raw is None:
        return ParsedSettings(ServerSettings(), [], [])
    if not isinstance(raw, dict):
        problem = f"{SECTION} must be an object, not {type(raw).__name__}"
        return ParsedSettings(ServerSettings(), [problem], [])
    types = get_type_hints(ServerSettings, include_extras=True)
    names = {wire_name(entry.name): entry.name for entry in fields(ServerSettings)}
    values: dict[str, Any] = {}
    problems: list[str] = []
    for key, value in raw.items():
        name = names.get(key)
        if name is None or value is None:  # null means "not set" in every editor
            continue
        try:
            values[name] = msgspec.convert(value, types[name])
        except msgspec.ValidationError as error:
            problems.append(f"`{SECTION}.{key}`: {_lower(str(error))}")
    unknown = sorted(str(key) for key in raw if key not in names)
    return ParsedSettings(ServerSettings(**values), problems, unknown)


def wire_name(name: str) -> str:
    """``latency_target_ms`` -> ``latencyTargetMs``."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
