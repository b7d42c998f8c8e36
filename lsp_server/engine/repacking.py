"""Into which layouts llama.cpp repacks weights on a CPU: every one that it has, except AMX's.

A build for a machine with AMX prefers AMX's layout, whose kernels end the process with a
segmentation fault on some machines (llama.cpp issue 20824, closed unfixed; seen with
llama-cpp-python 0.3.36, Q4_0 and Q4_1). The layout for AVX-512 comes second in llama.cpp's list.
"""

import ctypes
from typing import Any

AMX = b"AMX"
_CPU = 0
"""``GGML_BACKEND_DEVICE_TYPE_CPU``."""


def leave_amx_out(ggml: ctypes.CDLL) -> bool:
    """Have models that are loaded from now on repacked without AMX; whether that could be done.

    llama.cpp keeps the layouts, best first, in a list that ends with a null pointer, and hands out
    that very list; each tensor gets the first one that can hold it.
    """
    try:
        layouts = _layouts(ggml)
    except (AttributeError, ValueError):  # a llama.cpp without these functions
        return False
    name = ggml.ggml_backend_buft_name
    name.restype, name.argtypes = ctypes.c_char_p, [ctypes.c_void_p]
    kept = [layout for layout in _entries(layouts) if name(layout) != AMX]
    for place, layout in enumerate([*kept, None]):
        layouts[place] = layout
    return True


def _layouts(ggml: ctypes.CDLL) -> Any:
    """llama.cpp's own list; raises ``AttributeError`` or ``ValueError`` where there is none."""
    device = _function(ggml, "ggml_backend_dev_by_type", ctypes.c_int)(_CPU)
    registry = _function(ggml, "ggml_backend_dev_backend_reg", ctypes.c_void_p)(device)
    find = _function(ggml, "ggml_backend_reg_get_proc_address", ctypes.c_void_p, ctypes.c_char_p)
    address = find(registry, b"ggml_backend_dev_get_extra_bufts")
    if not address:
        raise ValueError("this CPU backend repacks nothing")
    listed = ctypes.CFUNCTYPE(ctypes.POINTER(ctypes.c_void_p), ctypes.c_void_p)(address)(device)
    if not listed:
        raise ValueError("this CPU backend has no list of layouts")
    return listed


def _entries(layouts: Any) -> list[int]:
    """What the list holds before its null pointer."""
    found: list[int] = []
    while layout := layouts[len(found)]:
        found.append(layout)
    return found


def _function(ggml: ctypes.CDLL, name: str, *arguments: type) -> Any:
    """A function of the library that returns a pointer."""
    function = getattr(ggml, name)
    function.restype, function.argtypes = ctypes.c_void_p, list(arguments)
    return function
