"""Weights that llama.cpp laid out anew for this CPU say what the file's own layout says."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lsp_server.engine.llama import Backend, Context, Model
from lsp_server.engine.repacking import leave_amx_out
from tests.starter import starter_file

LAYOUTS = """
import ctypes, sys
from llama_cpp._ggml import libggml
from lsp_server.engine import repacking
libggml.ggml_backend_buft_name.restype = ctypes.c_char_p
libggml.ggml_backend_buft_name.argtypes = [ctypes.c_void_p]
for _ in range(2):
    assert repacking.leave_amx_out(libggml)
    layouts = repacking._layouts(libggml)
    print([libggml.ggml_backend_buft_name(one) for one in repacking._entries(layouts)])
"""


@pytest.fixture(scope="module")
def backend():
    made = Backend(logging.getLogger("llama"))
    if not made.repacking_is_safe:
        pytest.skip("this build repacks nothing")
    return made


def surprise(backend: Backend, path: Path, *, repack: bool) -> np.ndarray:
    """Minus the natural-log probability of each token of a text."""
    model = Model.load(backend, path, repack=repack)
    context = Context(model, tokens=1024, sequences=1, chunk=64, threads=1)
    tokens = model.vocabulary.tokenize(Path(__file__).read_text("utf-8"))[:512]
    found = []
    for start in range(0, len(tokens) - 64, 64):
        context.decode(tokens[start : start + 64], position=start, sequence=0, every_logit=True)
        for index in range(64):
            logits = context.logits(index).astype(np.float64)
            total = logits.max() + np.log(np.exp(logits - logits.max()).sum())
            found.append(total - logits[tokens[start + index + 1]])
    context.close()
    model.close()
    return np.array(found)


def test_repacked_weights_expect_the_same_text(backend):
    own = surprise(backend, starter_file(), repack=False)
    repacked = surprise(backend, starter_file(), repack=True)
    # Both round activations to 8 bits, and add up in another order.
    assert abs(own.mean() - repacked.mean()) < 0.01
    assert np.abs(own - repacked).mean() < 0.05
    assert np.corrcoef(own, repacked)[0, 1] > 0.999


def test_amx_is_left_out_once_and_for_all():
    ran = subprocess.run(
        [sys.executable, "-c", LAYOUTS], capture_output=True, check=True, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)},
    )  # fmt: skip
    first, second = ran.stdout.splitlines()
    assert first == second
    assert "AMX" not in first


def test_a_library_without_the_functions_repacks_nothing():
    assert not leave_amx_out(object())
