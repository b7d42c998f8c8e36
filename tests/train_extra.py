"""What `tenon setup train` installs, for tests: a test file that imports this is skipped without.

It comes before any `from training...` that needs torch: `from tests.train_extra import torch`.
"""

import pytest

REASON = "needs torch and tokenizers: run `tenon setup train` (make train-setup)"

torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("tokenizers", reason=REASON)
torch.set_num_threads(1)  # on tensors this small, threads only wait for each other
