"""How a run starts from saved weights: those of PEFT's folder, put into a new adapter."""

from pathlib import Path

import torch
from peft import PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file

from lsp_server.errors import CorruptAdapterError

from .fused import ADAPTER

WEIGHTS = "adapter_model.safetensors"


def take_over(model: PeftModel, folder: Path) -> None:
    """Give an adapter that changes nothing yet the weights that ``folder`` holds.

    Raises CorruptAdapterError if they cannot be read, or are not of the same shapes and layers;
    then nothing was taken over.
    """
    try:
        saved = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise CorruptAdapterError(
            f"{folder / WEIGHTS} cannot be read ({error}); train with scratch_every = 1, which "
            "starts from scratch"
        ) from error
    own = get_peft_model_state_dict(model, adapter_name=ADAPTER, save_embedding_layers=False)
    shapes = {name: it.shape for name, it in own.items()}
    if {name: it.shape for name, it in saved.items()} != shapes:
        raise CorruptAdapterError(
            f"{folder} holds an adapter of other layers or another rank than this run's; train "
            "with scratch_every = 1, which starts from scratch"
        )
    with torch.no_grad():
        set_peft_model_state_dict(model, saved, adapter_name=ADAPTER)
