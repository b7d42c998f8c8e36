import logging
import threading

import pytest

from lsp_server.engine import runtime
from lsp_server.engine.llama import Backend, Context
from lsp_server.engine.runtime import Runtime, RuntimeOptions, Served
from tests.starter import plain_file


def test_no_thread_but_the_computing_one_ever_decodes(monkeypatch: pytest.MonkeyPatch):
    # OpenMP would keep a team of threads for each, and then every decode takes 3 times as long.
    threads, decode = set(), Context.decode

    def decoding(*arguments, **options):
        threads.add(threading.current_thread().name)
        return decode(*arguments, **options)

    monkeypatch.setattr(Context, "decode", decoding)
    served = Served("plain", plain_file())
    loaded = Runtime(Backend(logging.getLogger("test")), served, RuntimeOptions(context=256))
    try:
        assert loaded.prefill_speed > 0 < loaded.decode_speed
        assert threads == {"tenon-generate"}
    finally:
        loaded.close()


def test_a_model_that_cannot_be_measured_leaves_no_thread(monkeypatch: pytest.MonkeyPatch):
    def fail(*_arguments):
        raise RuntimeError("no speed")

    monkeypatch.setattr(runtime, "_measure", fail)
    served = Served("plain", plain_file())
    with pytest.raises(RuntimeError, match="no speed"):
        Runtime(Backend(logging.getLogger("test")), served, RuntimeOptions(context=256))
    assert all(thread.name != "tenon-generate" for thread in threading.enumerate())
