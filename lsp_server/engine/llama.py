"""The only file that imports llama_cpp: models, vocabularies, contexts and adapters as objects.

Low-level API only, prompts as token ids. Nothing here decides anything; a context is used by one
thread at a time.
"""

import ctypes
import logging
import threading
import time
from collections.abc import Sequence
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptModelError, EngineError
from .cutting import parts
from .threads import ThreadChoice

Logits = NDArray[np.float32]
_LEVELS = {1: logging.DEBUG, 2: logging.DEBUG, 3: logging.WARNING, 4: logging.ERROR}


class Backend:
    """llama.cpp's process-wide state: start it once, before the first model."""

    def __init__(self, log: logging.Logger) -> None:
        def forward(level: int, text: bytes, _user: object) -> None:
            message = text.decode("utf-8", "replace").rstrip()
            if message.strip("."):  # loading prints one dot per tensor
                log.log(_LEVELS.get(level, logging.DEBUG), "llama.cpp: %s", message)

        # The C side keeps the pointer: the callback must live as long as the process logs.
        self._callback = llama_cpp.llama_log_callback(forward)
        llama_cpp.llama_log_set(self._callback, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()

    @property
    def offloads(self) -> bool:
        """Whether this build can put layers on a GPU."""
        return bool(llama_cpp.llama_supports_gpu_offload())

    @property
    def repacking_is_safe(self) -> bool:
        """False where llama.cpp would repack weights for AMX.

        Its AMX kernels end the process with a segmentation fault on some machines (llama.cpp issue
        20824, closed unfixed; seen with 0.3.36 on the machine that this was written on).
        """
        return b"AMX_INT8 = 1" not in llama_cpp.llama_print_system_info()


class Model:
    """One GGUF in memory, without any context."""

    def __init__(self, handle: Any, path: Path, backend: Backend) -> None:
        self._handle = handle
        self._backend = backend  # llama.cpp logs through it for as long as there is a model
        self.path = path
        self.adapting = threading.Lock()
        """Held by whoever changes the model's list of adapters, and by whoever reads it.

        Loading and freeing change it. The first decode after a change of adapters reads it, to lay
        its graph out anew; every other decode goes on beside a load.
        """
        self.vocabulary = Vocabulary(llama_cpp.llama_model_get_vocab(handle))

    @classmethod
    def load(cls, backend: Backend, path: Path, *, gpu_layers: int = -1) -> "Model":
        """Map a GGUF file; raises ``CorruptModelError`` if llama.cpp cannot read it.

        ``gpu_layers``: how many layers go to the GPU, -1 for all; without effect on a CPU build.
        """
        parameters = llama_cpp.llama_model_default_params()
        if backend.offloads:
            parameters.n_gpu_layers = 999 if gpu_layers < 0 else gpu_layers
        parameters.use_extra_bufts = backend.repacking_is_safe
        handle = llama_cpp.llama_model_load_from_file(str(path).encode(), parameters)
        if not handle:
            raise CorruptModelError(
                f"{path.name} cannot be loaded: it is damaged, or of an architecture that this "
                "llama.cpp does not know. Pull or import the model again, or choose another one."
            )
        return cls(handle, path, backend)

    @property
    def handle(self) -> Any:
        return self._handle

    @property
    def architecture(self) -> str:
        """llama.cpp's name of it."""
        return self.metadata("general.architecture") or ""

    @property
    def context_length(self) -> int:
        """Tokens that the model was trained to attend to."""
        return int(llama_cpp.llama_model_n_ctx_train(self._handle))

    @property
    def parameters(self) -> int:
        return int(llama_cpp.llama_model_n_params(self._handle))

    @property
    def size(self) -> int:
        """Bytes of all tensors."""
        return int(llama_cpp.llama_model_size(self._handle))

    def metadata(self, key: str) -> str | None:
        """A metadata value as text, e.g. ``general.name``."""
        buffer = ctypes.create_string_buffer(4096)
        length = llama_cpp.llama_model_meta_val_str(self._handle, key.encode(), buffer, len(buffer))
        return None if length < 0 else buffer.value.decode("utf-8", "replace")

    def close(self) -> None:
        """Free the weights; contexts and adapters must be closed before."""
        with self.adapting:
            if self._handle:
                llama_cpp.llama_model_free(self._handle)
                self._handle = None


class Vocabulary:
    """Text to token ids and back; safe to use from any thread."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        # Nearly all of a keystroke's prompt was in the last keystroke's, in parts of a line or two.
        self._ids = lru_cache(maxsize=8192)(partial(_token_ids, handle))
        kind = llama_cpp.llama_vocab_type(handle)
        self._may_be_cut = kind == llama_cpp.LLAMA_VOCAB_TYPE_BPE
        self.piece = lru_cache(maxsize=4096)(partial(_piece, handle, special=True))
        """The bytes of one token, a control token's written out."""
        self.size = int(llama_cpp.llama_vocab_n_tokens(handle))

    @property
    def bos(self) -> int | None:
        """The token that every text starts with, if this vocabulary wants one."""
        if not llama_cpp.llama_vocab_get_add_bos(self._handle):
            return None
        return int(llama_cpp.llama_vocab_bos(self._handle))

    @property
    def separator(self) -> int:
        """What stands before a document: BOS, or else the end of another document."""
        return self.bos if self.bos is not None else min(self.ends)

    @cached_property
    def pieces(self) -> tuple[bytes, ...]:
        """The bytes of every token, control tokens as nothing; about 50 ms for 50,000 tokens."""
        return tuple(_piece(self._handle, token, special=False) for token in range(self.size))

    @cached_property
    def texts(self) -> dict[str, int]:
        """Ids by the exact text of the vocabulary entry, control tokens included."""
        get_text = llama_cpp.llama_vocab_get_text
        entries = ((get_text(self._handle, token), token) for token in range(self.size))
        return {(text or b"").decode("utf-8", "replace"): token for text, token in entries}

    @cached_property
    def ends(self) -> frozenset[int]:
        """Tokens that end a generation by themselves."""
        is_end = llama_cpp.llama_vocab_is_eog
        return frozenset(token for token in range(self.size) if is_end(self._handle, token))

    def tokenize(self, text: str, *, special: bool = False) -> list[int]:
        """Token ids of ``text``, without BOS; with ``special``, control tokens are recognised.

        A lone surrogate (half of a UTF-16 pair, as an editor may send it) becomes ``?``.
        """
        data = text.encode("utf-8", "replace")
        if special or not self._may_be_cut:
            return list(_token_ids(self._handle, data, special=special))
        return [token for part in parts(data) for token in self._ids(part, special=False)]

    def detokenize(self, tokens: Sequence[int]) -> str:
        """Text of ``tokens``, control tokens written out."""
        return b"".join(map(self.piece, tokens)).decode("utf-8", "replace")


def _token_ids(vocabulary: Any, data: bytes, *, special: bool) -> tuple[int, ...]:
    if not data:
        return ()
    room = len(data) + 2
    while True:
        buffer = (ctypes.c_int32 * room)()
        count = llama_cpp.llama_tokenize(vocabulary, data, len(data), buffer, room, False, special)
        if count >= 0:
            return tuple(buffer[:count])
        room = -count


def _piece(vocabulary: Any, token: int, *, special: bool) -> bytes:
    room = 64
    while True:
        buffer = ctypes.create_string_buffer(room)
        count = llama_cpp.llama_token_to_piece(vocabulary, token, buffer, room, 0, special)
        if count >= 0:
            return buffer.raw[:count]
        room = -count


class Adapter:
    """A LoRA adapter over one model; its file is read once, and may then change or go."""

    def __init__(self, model: Model, path: Path) -> None:
        """Copy the file's weights into memory, beside decodes that run.

        Some files end the process: check a stranger's with :func:`.lora_file.check` before. Raises
        ``CorruptModelError``, and ``EngineError`` for a model that is closed.
        """
        self._model = model
        with model.adapting:
            if not model.handle:
                raise EngineError("The model has been closed; load the adapter again.")
            self._handle = llama_cpp.llama_adapter_lora_init(model.handle, str(path).encode())
        if not self._handle:
            raise CorruptModelError(
                f"The adapter {path.name} cannot be loaded: it is damaged, or was trained over "
                "another base model."
            )

    @property
    def handle(self) -> Any:
        return self._handle

    def close(self) -> None:
        with self._model.adapting:
            if self._handle:
                llama_cpp.llama_adapter_lora_free(self._handle)
                self._handle = None


class Context:
    """KV caches of several sequences over one model, and the decoding of batches into them."""

    def __init__(
        self,
        model: Model,
        *,
        tokens: int,
        sequences: int,
        chunk: int,
        threads: int | ThreadChoice,
    ) -> None:
        """``tokens`` per sequence; ``chunk`` is the most tokens of one :meth:`decode`.

        ``threads``: so many, or what is to be chosen at each decode.
        """
        if isinstance(threads, int):
            threads = ThreadChoice((threads,), time.perf_counter)
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = tokens * sequences
        parameters.n_seq_max = sequences
        # One stream per sequence: a decode attends to its own cells alone (1.7x on 2 cores).
        parameters.kv_unified = False
        parameters.n_batch = parameters.n_ubatch = chunk
        self._choice = threads
        self.threads = threads.choose(1)
        """With how many the last decode was computed, or the first one will be."""
        parameters.n_threads = parameters.n_threads_batch = self.threads
        if not llama_cpp.llama_supports_gpu_offload():
            # On a CPU, flash attention halves both speeds at a context of 1,000 tokens.
            parameters.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self._adapting = model.adapting
        with self._adapting:
            self._handle = llama_cpp.llama_init_from_model(model.handle, parameters)
        if not self._handle:
            raise EngineError(
                f"No memory for {sequences} sequences of {tokens} tokens; "
                "lower the setting contextTokens."
            )
        self._memory = llama_cpp.llama_get_memory(self._handle)
        self._vocabulary_size = model.vocabulary.size
        self._adapters: tuple[tuple[Adapter, float], ...] = ()
        self._is_laid_out = False  # for the adapters in use
        self.chunk = chunk
        self.sequences = sequences
        self.cuts_freely = not (
            llama_cpp.llama_model_is_recurrent(model.handle)
            or llama_cpp.llama_model_is_hybrid(model.handle)
            or llama_cpp.llama_model_n_swa(model.handle)
        )
        """Whether any number of tokens can be taken back: see :meth:`truncate`."""
        self.tokens = int(llama_cpp.llama_n_ctx_seq(self._handle))
        # All tokens of a batch belong to one sequence, so its seq_id pointers share one cell.
        self._sequence = ctypes.c_int32(0)
        self._token = np.zeros(chunk, np.int32)
        self._position = np.zeros(chunk, np.int32)
        self._counts = np.ones(chunk, np.int32)
        self._outputs = np.zeros(chunk, np.int8)
        cell = ctypes.pointer(self._sequence)
        self._cells = (ctypes.POINTER(ctypes.c_int32) * chunk)(*([cell] * chunk))
        self._batch = llama_cpp.llama_batch(
            n_tokens=0,
            token=_pointer(self._token, ctypes.c_int32),
            embd=None,
            pos=_pointer(self._position, ctypes.c_int32),
            n_seq_id=_pointer(self._counts, ctypes.c_int32),
            seq_id=ctypes.cast(self._cells, ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))),
            logits=_pointer(self._outputs, ctypes.c_int8),
        )

    def decode(
        self, tokens: Sequence[int], *, position: int, sequence: int, every_logit: bool = False
    ) -> None:
        """Compute ``tokens`` (at most ``chunk``) from ``position`` on, appending to a sequence.

        Afterwards :meth:`logits` holds those of the last token, or of each with ``every_logit``.
        """
        count = len(tokens)
        self._token[:count] = tokens
        self._position[:count] = np.arange(position, position + count)
        self._outputs[:count] = every_logit
        self._outputs[count - 1] = True
        self._sequence.value = sequence
        self._batch.n_tokens = count
        self._use_threads(self._choice.choose(count))
        started = time.perf_counter()
        if self._is_laid_out:
            status = llama_cpp.llama_decode(self._handle, self._batch)
        else:
            with self._adapting:
                status = llama_cpp.llama_decode(self._handle, self._batch)
            self._is_laid_out = status == 0
        if status != 0:
            raise EngineError(f"llama.cpp could not decode {count} tokens (status {status}).")
        self._choice.note(self.threads, count, time.perf_counter() - started)

    def _use_threads(self, count: int) -> None:
        if count != self.threads:
            llama_cpp.llama_set_n_threads(self._handle, count, count)
            self.threads = count

    def logits(self, index: int = -1) -> Logits:
        """Scores over the vocabulary after the ``index``-th token of the last decode.

        Shape ``(vocabulary,)``; a view that the next decode overwrites.
        """
        pointer = llama_cpp.llama_get_logits_ith(self._handle, index)
        return np.ctypeslib.as_array(pointer, (self._vocabulary_size,))

    def truncate(self, sequence: int, length: int) -> int:
        """Keep a sequence's first ``length`` tokens; returns how many could really be kept.

        Recurrent and sliding-window memories cannot be cut at will: they are emptied.
        """
        if llama_cpp.llama_memory_seq_rm(self._memory, sequence, length, -1):
            return length
        llama_cpp.llama_memory_seq_rm(self._memory, sequence, -1, -1)
        return 0

    def use_adapters(self, adapters: tuple[tuple[Adapter, float], ...]) -> None:
        """Apply adapters with their scales to every decode from now on.

        The next decode lays its graph out anew, which takes some milliseconds.
        """
        if adapters == self._adapters:
            return
        count = len(adapters)
        kind = llama_cpp.llama_adapter_lora_p_ctypes
        handles = (kind * count)(*(adapter.handle for adapter, _ in adapters))
        scales = (ctypes.c_float * count)(*(scale for _, scale in adapters))
        if llama_cpp.llama_set_adapters_lora(self._handle, handles, count, scales) != 0:
            raise EngineError("llama.cpp refused the adapter; unload it and train it again.")
        self._adapters = adapters
        self._is_laid_out = False

    def drop_adapter(self, adapter: Adapter) -> None:
        """Stop using an adapter that is about to be freed."""
        if any(used is adapter for used, _ in self._adapters):
            self.use_adapters(())

    def close(self) -> None:
        if self._handle:
            llama_cpp.llama_free(self._handle)
            self._handle = None


def _pointer(array: NDArray[Any], kind: type) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(kind))
