"""The starter's control tokens: the same ones in the format, the recipe and the LoRA."""

from collections.abc import Sequence
from pathlib import Path

from lsp_server import store
from lsp_server.prompt.formats import FORMATS, Segment, Special
from lsp_server.store.catalogue import STARTER, load_catalogue
from lsp_server.store.gguf_header import read_header
from lsp_server.store.merging import Lora
from tests.starter import plain_file

FORMAT, ENTRY = FORMATS["tenon-starter"], load_catalogue()[STARTER]
SUFFIX, PREFIX, MIDDLE = FORMAT.specials
END = "<|endoftext|>"


def control_tokens(segments: Sequence[Segment]) -> list[str]:
    return [segment.token for segment in segments if isinstance(segment, Special)]


def by_key() -> dict[str, str]:
    """What the format means by each of GGUF's names."""
    assert FORMAT.repository
    (repository,) = control_tokens(FORMAT.repository.repository)
    (separator,) = control_tokens(FORMAT.repository.file)
    assert control_tokens(FORMAT.repository.current) == [separator]
    roles = {"pre": PREFIX, "suf": SUFFIX, "mid": MIDDLE, "rep": repository, "sep": separator}
    named = {f"tokenizer.ggml.fim_{role}_token_id": token for role, token in roles.items()}
    ends = {f"tokenizer.ggml.{end}_token_id": END for end in ("bos", "eos")}
    return named | ends


def test_every_control_token_ends_an_answer():
    assert set(by_key().values()) <= set(FORMAT.stops)


def test_the_recipe_writes_and_learns_what_the_format_lays_out():
    from tests.train_extra import torch  # noqa: F401 - skips this test where it is not set up
    from training.starter import artefact

    assert by_key() == artefact.FIM_TOKENS
    assert artefact.END == END
    assert sorted(artefact.LEARNED_ROWS) == sorted({*by_key().values()} - {END})
    assert ENTRY.recipe_version == artefact.RECIPE_VERSION


def test_the_lora_of_this_package_says_so_too():
    vocabulary = read_header(plain_file()).vocabulary
    lora = Lora.read(Path(store.__file__).parent / str(ENTRY.lora))
    told = {key: vocabulary[lora.value(key)] for key in by_key()}
    assert told == by_key()
    assert sorted(vocabulary[row] for row in lora.row_ids) == sorted({*told.values()} - {END})
