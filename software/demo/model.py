"""The shipped video diffusion transformers: architecture, prediction, velocity, loading.

A model is diffusers' CogVideoX transformer, small: it denoises the 8 frames of a video directly,
without an autoencoder. 6 x 6 patches are its video tokens, of D = 128 channels; how many there are
is the model's geometry (software.demo.geometry). Prompts are those of software.demo.prompt.

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

from software.demo.geometry import GEOMETRIES, SMALL, Geometry
from software.demo.prompt import TEXT_TOKENS, text_channels

GRID = SMALL.grid
"""The small model's video tokens."""
WEIGHTS = SMALL.weights
"""Folder of the small model, which also holds its sample tokens."""


def build_model(
    layers: int = 6, *, geometry: Geometry = SMALL, seed: int = 0
) -> CogVideoXTransformer3DModel:
    """Build the architecture with fresh weights: 2.5 M parameters, 4 heads x 32 channels."""
    with torch.random.fork_rng(devices=[]):  # diffusers draws weights from the global generator
        torch.manual_seed(seed)
        model = _architecture(layers, geometry)
    nn.init.zeros_(model.proj_out.weight)  # the first prediction is grey, not noise
    return model


def _seen(geometry: Geometry) -> dict[str, int]:
    """What a model is shown and gives, the same for all of one geometry."""
    return {
        "in_channels": 3,
        "out_channels": 3,
        "text_embed_dim": text_channels(geometry),
        "sample_width": geometry.size,
        "sample_height": geometry.size,
        "sample_frames": geometry.frames,
        "patch_size": geometry.patch,
        "temporal_compression_ratio": 1,
        "max_text_seq_length": TEXT_TOKENS,
    }


def _architecture(layers: int, geometry: Geometry) -> CogVideoXTransformer3DModel:
    return CogVideoXTransformer3DModel(
        num_attention_heads=4,
        attention_head_dim=32,
        time_embed_dim=128,
        num_layers=layers,
        spatial_interpolation_scale=1.0,
        **_seen(geometry),
    )


def geometry_of(model: CogVideoXTransformer3DModel) -> Geometry:
    """The geometry of a model: the one whose frames are nearest to its own in size."""
    size = model.config.sample_width
    return min(GEOMETRIES.values(), key=lambda geometry: abs(geometry.size - size))


def model_files(folder: Path) -> list[Path]:
    """The files of a folder that `load_model` reads."""
    return [folder / "config.json", *folder.glob("diffusion_pytorch_model*.safetensors*")]


def load_model(folder: Path = WEIGHTS) -> CogVideoXTransformer3DModel:
    """Load a model from a folder, offline, ready for inference (float32, eval mode).

    Raises:
        FileNotFoundError: the folder holds no model.
        ValueError: it holds one that cannot be loaded, or is of no geometry.
    """
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(f"{folder} holds no model: config.json is missing")
    try:
        model, info = CogVideoXTransformer3DModel.from_pretrained(
            folder, local_files_only=True, low_cpu_mem_usage=False, use_safetensors=True,
            output_loading_info=True, torch_dtype=torch.float32,
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
    for name, wanted in _seen(geometry_of(model)).items():
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
