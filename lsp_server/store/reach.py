"""Where the model hub is, and whether it can be reached from here; asks, but fetches nothing."""

import os

import httpx

_TRUE = {"1", "ON", "YES", "TRUE"}  # as huggingface_hub reads its switches


def endpoint() -> str:
    """The hub's address without a trailing slash; ``$HF_ENDPOINT``, read at every call."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def is_offline() -> bool:
    """Whether ``$HF_HUB_OFFLINE`` forbids every request, read at every call."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in _TRUE


def hub_reachable(timeout: float = 3.0) -> bool:
    """Whether a hub answers within ``timeout`` seconds. Never raises."""
    if is_offline():
        return False
    try:
        answer = httpx.head(endpoint(), timeout=timeout, follow_redirects=True)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):
        return False
    return answer.status_code < 500
