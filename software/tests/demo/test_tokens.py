import numpy as np
import torch

from software.demo.model import load_model
from software.demo.tokens import PATH, sample_tokens


def test_the_shipped_tokens_come_from_the_shipped_weights() -> None:
    shipped = torch.from_numpy(np.load(PATH))
    assert shipped.shape == (512, 128)
    assert shipped.dtype == torch.float16
    assert PATH.stat().st_size < 200_000
    # Another CPU may sum in another order: nearly equal, not equal to the bit.
    torch.testing.assert_close(sample_tokens(load_model()), shipped, atol=0.02, rtol=0.02)
