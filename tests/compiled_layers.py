"""Losses and gradients of one batch, plain and compiled, told in ``FILE``.

A process of its own: torch's compiler imports setuptools, which puts its own distutils in the place
of Python's, and other tests have to do with either.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.tiny_trainee import RECIPE, tiny_base, tiny_samples, tiny_trainee
from tests.train_extra import torch
from training.recipe.trainee import Trainee, with_adapter


def changing(trainee: Trainee) -> None:
    """Give an adapter weights that change what the model says.

    A new one changes nothing, and to leave it out, or to leave it on for the base, would not show.
    """
    torch.manual_seed(5)
    with torch.no_grad():
        for it in trainee.parameters:
            it.normal_(std=0.1)


def main(file: Path) -> None:
    plain, compiled = tiny_trainee(), Trainee(with_adapter(tiny_base(), RECIPE), compiled=True)
    for trainee in (plain, compiled):
        changing(trainee)
    (batch,) = compiled.cut(tiny_samples()[:1], 96, prompt_weight=0.3)
    found = []
    for trainee in (plain, compiled):
        told = []
        for anchor in (0.0, 0.5):
            trainee.model.zero_grad()
            total, each = trainee.losses(batch, anchor)
            total.backward()
            told += [total.detach()[None], each]
            told += [it.grad.flatten().clone() for it in trainee.parameters]
        found.append(torch.cat(told))
    torch.save({"rows": len(batch.tokens), "found": found}, file)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
