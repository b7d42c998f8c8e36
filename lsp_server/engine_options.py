"""What a user's settings ask of an engine, and when they need another one."""

from pathlib import Path

from .engine.launcher import EngineOptions
from .errors import SettingsError
from .settings import ServerSettings


def engine_options(settings: ServerSettings) -> EngineOptions:
    """What to ask of the launcher; raises SettingsError if the API key cannot be read."""
    return EngineOptions(
        model=settings.model or None,
        url=settings.engine_url,
        api_key=read_api_key(settings.engine_api_key_file),
        gpu_layers=settings.gpu_layers,
        threads=settings.threads,
        context=settings.context_tokens,
        idle_exit=float(settings.idle_exit_seconds),
    )


def needs_another_engine(old: ServerSettings, new: ServerSettings) -> bool:
    """Whether the engine in use is not the one that ``new`` asks for, whichever model it serves."""
    return _address(old) != _address(new) or _process(old) != _process(new)


def needs_renewal(old: ServerSettings, new: ServerSettings) -> bool:
    """Whether this machine's own engine was started with options that are no longer wanted.

    Only then is it ended, because other editors share it: whoever comes back from somebody else's
    engine takes the one that runs here as it is.
    """
    return not old.engine_url and not new.engine_url and _process(old) != _process(new)


def read_api_key(file: str) -> str:
    """The token in ``tenon.engineApiKeyFile``, empty if none is set; raises SettingsError."""
    if not file:
        return ""
    try:
        return Path(file).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"`tenon.engineApiKeyFile` cannot be read ({error}); name a text file with the token"
        ) from error


def _address(settings: ServerSettings) -> tuple[str, str]:
    return settings.engine_url, settings.engine_api_key_file


def _process(settings: ServerSettings) -> tuple[int, ...]:
    """The options that an engine has for as long as it lives."""
    return (
        settings.gpu_layers,
        settings.threads,
        settings.context_tokens,
        settings.idle_exit_seconds,
    )
