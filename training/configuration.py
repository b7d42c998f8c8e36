"""What every configuration is made of: bounded numbers, and a TOML read whole or refused."""

from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from lsp_server.errors import SettingsError

Count = Annotated[int, msgspec.Meta(ge=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]

Settings = TypeVar("Settings", bound=msgspec.Struct)


def read_toml(path: Path, kind: type[Settings], unreadable: str, faulty: str = "") -> Settings:
    """Raises SettingsError, which names the field; what to do is said by ``unreadable`` where the
    file cannot be read, and by ``faulty`` where it is wrong.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read ({error.strerror or error}); {unreadable}"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}{faulty}") from error
