"""Who is older, where two versions of Tenon meet in one home."""

from packaging.version import InvalidVersion, Version

from . import __version__


def is_older(version: str) -> bool:
    """Whether what a Tenon of that version left (an engine, a starter) is to be replaced by ours.

    Only then: of two Tenons that share a home, each would replace the other's for ever.
    """
    try:
        return Version(version) < Version(__version__)
    except InvalidVersion:
        return True


def is_newer(version: str) -> bool:
    """Whether a Tenon of that version is newer than ours."""
    try:
        return Version(version) > Version(__version__)
    except InvalidVersion:
        return False
