"""The shipped video diffusion transformer: architecture, prediction, velocity, loading.

The model is diffusers' CogVideoX transformer, small: it denoises 8 frames of 48 x 48 pixels,
without an autoencoder. 6 x 6 patches make 8 x 8 x 8 = 512 video tokens of D = 128 channels.
Prompts are those of software.demo.prompt.

Flow matching: ``z_t = t x + (1 - t) noise`` for t from 0 (noise) to 1 (video), and the ODE's
velocity is ``x - noise``. The network predicts the video x itself, from which the velocity follows:
a patch has 108 numbers, nearly all of D, so a network that had to carry the noise through its 128
channels would have little left for the picture (measured after 75 s of training on equal terms:
velocity loss 0.35 when predicting x against 0.85 when predicting the velocity).
"""

from pathlib import Path

import torch
from diffusers import CogVideoXTransformer3DModel
from torch import Tensor, nn

from software.demo.prompt import TEXT_CHANNELS, TEXT_TOKENS

FRAMES = 8
SIZE = 48
PATCH = 6
GRID = (FRAMES, SIZE // PATCH, SIZE // PATCH)
"""Video tokens as (frames, rows, columns); their order is frame-major, then row, then column."""
WEIGHTS = Path(__file__).parent / "weights"
"""Folder of the shipped model (``from_pretrained`` layout) and its sample tokens."""


def build_model(layers: int = 6, *, seed: int = 0) -> CogVideoXTransformer3DModel:
    """Build the architecture with fresh weights: 2.5 M parameters, 4 heads x 32 channels."""
    with torch.random.fork_rng(devices=[]):  # diffusers draws weights from the global generator
        torch.manual_seed(seed)
        model = _architecture(layers)
    nn.init.zeros_(model.proj_out.weight)  # the first prediction is grey, not noise
    return model


_SEEN = {
    "in_channels": 3,
    "out_channels": 3,
    "text_embed_dim": TEXT_CHANNELS,
    "sample_width": SIZE,
    "sample_height": SIZE,
    "sample_frames": FRAMES,
    "patch_size": PATCH,
    "temporal_compression_ratio": 1,
    "max_text_seq_length": TEXT_TOKENS,
}
"""What a model is shown and gives, the same for all that are run here."""


def _architecture(layers: int) -> CogVideoXTransformer3DModel:
    return CogVideoXTransformer3DModel(
        num_attention_heads=4,
        attention_head_dim=32,
        time_embed_dim=128,
        num_layers=layers,
        spatial_interpolation_scale=1.0,
        **_SEEN,
    )


def model_files(folder: Path) -> list[Path]:
    """The files of a folder that `load_model` reads."""
    return [folder / "config.json", *folder.glob("diffusion_pytorch_model*.safetensors*")]


def load_model(folder: Path = WEIGHTS) -> CogVideoXTransformer3DModel:
    """Load a model from a folder, offline, ready for inference (float32, eval mode).

    Raises:
        FileNotFoundError: the folder holds no model.
        ValueError: it holds one that cannot be loaded, or makes other videos than `GRID`'s.
    """
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(f"{folder} holds no model: config.json is missing")
    try:
        model, info = CogVideoXTransformer3DModel.from_pretrained(
            folder, local_files_only=True, low_cpu_mem_usage=False, use_safetensors=True,
            output_loading_info=True,
        )  # fmt: skip
    except (OSError, ValueError, TypeError, AttributeError, LookupError, RuntimeError) as error:
        told = (str(error).splitlines() or [type(error).__name__])[0].rstrip(" .:")
        raise ValueError(f"{folder} holds a model that cannot be loaded: {told}.") from error
    strange = sorted({*info["missing_keys"], *info["unexpected_keys"]})
    if strange:
        raise ValueError(
            f"{folder} holds a model that cannot be loaded: {len(strange)} weights are missing or"
            f" not its own, such as {strange[0]}."
        )
    for name, wanted in _SEEN.items():
        if model.config[name] != wanted:
            raise ValueError(f"{folder}: {name} is {model.config[name]}; it must be {wanted}.")
    return model.eval().requires_grad_(False)


def predict(
    model: CogVideoXTransformer3DModel, noisy: Tensor, time: Tensor, text: Tensor
) -> Tensor:
    """The video that the network takes ``noisy`` to become.

    ``noisy`` is float32 [B, F, 3, S, S] in the signal's range, ``time`` float32 [B] in 0..1 (the
    network sees it times 1,000), ``text`` an embedding of B prompts (software.demo.prompt). Returns
    float32, shaped as ``noisy``.
    """
    found: Tensor = model(noisy, text, time * 1000, return_dict=False)[0]
    return found.float()


def velocity(
    model: CogVideoXTransformer3DModel, noisy: Tensor, time: Tensor, text: Tensor
) -> Tensor:
    """Velocity of the flow at ``noisy``, which leads to the predicted video at time 1.

    Arguments as for ``predict``, ``time`` below 1.
    """
    predicted = predict(model, noisy, time, text)
    return (predicted - noisy) / (1 - time).view(-1, 1, 1, 1, 1)
