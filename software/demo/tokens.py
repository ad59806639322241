"""The shipped tokens: real SDPA outputs of the shipped model, to match without running it.

    python -m software.demo.tokens

One layer's video tokens half-way through an unreduced run: float16 [512, 128] in
``weights/tokens.npy``.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from diffusers import CogVideoXTransformer3DModel
from torch import Tensor

from software.demo.diffusion import TimeGrid
from software.demo.model import WEIGHTS, load_model, model_files
from software.demo.prompt import Prompt
from software.demo.recording import record_run
from software.library.files import check_outputs, replacing

PATH = WEIGHTS / "tokens.npy"
PROMPT, SEED, STEPS = Prompt(0), 0, 24
"""The run that the tokens are taken from: a bunny."""
STEP, LAYER = STEPS // 2, 3


def sample_tokens(model: CogVideoXTransformer3DModel) -> Tensor:
    """SDPA output of layer ``LAYER`` at step ``STEP``: float16 [N, D]."""
    _, tokens = record_run(model, PROMPT, SEED, TimeGrid(STEPS))
    return tokens.outputs[STEP, LAYER].to(torch.float16)


def write_tokens(path: Path, model: CogVideoXTransformer3DModel) -> None:
    """Write the tokens as .npy."""
    array = sample_tokens(model).numpy()
    with replacing(path) as partial, partial.open("wb") as file:
        np.save(file, array)


def main(arguments: list[str] | None = None) -> None:
    """Command line of ``python -m software.demo.tokens``."""
    parser = argparse.ArgumentParser(prog="python -m software.demo.tokens")
    parser.add_argument("-o", "--output", type=Path, default=PATH)
    output = parser.parse_args(arguments).output
    check_outputs([output], inputs=model_files(WEIGHTS))
    write_tokens(output, load_model())


if __name__ == "__main__":
    main()
