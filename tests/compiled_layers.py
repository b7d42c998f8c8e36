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


def main(file: Path) -> None:
    plain, compiled = tiny_trainee(), Trainee(with_adapter(tiny_base(), RECIPE), compiled=True)
    (batch,) = compiled.cut(tiny_samples()[:1], 96, prompt_weight=0.3)
    found = []
    for trainee in (plain, compiled):
        told = []
        for anchor in (0.0, 0.5):
            total, each = trainee.losses(batch, anchor)
            total.backward()
            told += [each, *(it.grad.flatten() for it in trainee.parameters)]
        found.append(torch.cat(told))
    torch.save({"rows": len(batch.tokens), "found": found}, file)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
