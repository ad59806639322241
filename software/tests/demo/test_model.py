import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from software.demo.diffusion import initial_noise
from software.demo.geometry import GEOMETRIES, LARGE, SMALL, Geometry
from software.demo.model import build_model, geometry_of, load_model, model_files, velocity
from software.demo.prompt import Prompt, embed
from software.demo.recording import recording


@pytest.mark.parametrize(("geometry", "tokens"), [(SMALL, 512), (LARGE, 1152)])
def test_the_architecture_has_video_tokens_of_128_channels(geometry: Geometry, tokens: int) -> None:
    model = build_model(1, geometry=geometry).eval()
    with recording(model) as seen, torch.no_grad():
        noise = initial_noise(model, 0)
        velocity(model, noise, torch.zeros(1), Prompt(0, geometry=geometry).tokens)
    assert noise.shape == (1, 8, 3, geometry.size, geometry.size)
    assert seen.outputs[0, 0].shape == (math.prod(geometry.grid), 128) == (tokens, 128)


def test_fresh_weights_depend_on_the_seed_and_leave_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    one, same, other = (build_model(1, seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(before, torch.random.get_rng_state())
    name = "transformer_blocks.0.attn1.to_q.weight"
    assert torch.equal(one[name], same[name])
    assert not torch.equal(one[name], other[name])


def test_the_velocity_leads_to_the_prediction() -> None:
    model = build_model(1).eval()  # its last layer is zero but for the bias: it predicts a constant
    with torch.no_grad():
        model.proj_out.bias.fill_(0.25)
        noisy = torch.randn(2, 8, 3, 48, 48, generator=torch.Generator().manual_seed(0))
        time = torch.tensor([0.0, 0.8])
        text = embed(torch.tensor([0, 2]), torch.zeros(2), SMALL)
        found = velocity(model, noisy, time, text)
    arrived = noisy + (1 - time).view(-1, 1, 1, 1, 1) * found
    torch.testing.assert_close(arrived, torch.full_like(arrived, 0.25), atol=1e-5, rtol=0)


@pytest.mark.parametrize("geometry", GEOMETRIES.values())
def test_a_saved_model_loads_with_the_same_weights(tmp_path: Path, geometry: Geometry) -> None:
    model = build_model(1, geometry=geometry, seed=3)
    model.save_pretrained(tmp_path)
    loaded = load_model(tmp_path)
    assert geometry_of(loaded) is geometry
    assert not loaded.training
    for name, value in model.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name]), name


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"holds no model: config\.json is missing"):
        load_model(tmp_path)


def changed(folder: Path, **fields: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


BREAK: dict[str, tuple[Callable[[Path], object], str]] = {
    "no JSON": (lambda folder: (folder / "config.json").write_text("{"), "cannot be loaded"),
    "deep": (lambda folder: (folder / "config.json").write_text("[" * 99999), "cannot be loaded"),
    "empty": (lambda folder: (folder / "config.json").write_text("{}"), "cannot be loaded"),
    "text": (lambda folder: changed(folder, num_layers="x"), "cannot be loaded"),
    "huge": (lambda folder: changed(folder, num_attention_heads=10**9), "cannot be loaded"),
    "more layers": (lambda folder: changed(folder, num_layers=2), "weights are missing or not its"),
    "other sizes": (lambda folder: changed(folder, sample_frames=9), "sample_frames is 9; it must"),
    "other width": (lambda folder: changed(folder, sample_width=60), "sample_width is 60; it must"),
    "no weights": (lambda folder: weights(folder).unlink(), "cannot be loaded"),
    "cut": (
        lambda folder: weights(folder).write_bytes(weights(folder).read_bytes()[:-9]),
        "cannot be loaded",
    ),
    "noise": (lambda folder: weights(folder).write_bytes(bytes(99)), "cannot be loaded"),
    "index": (
        lambda folder: weights(folder).rename(
            folder / "diffusion_pytorch_model.safetensors.index.json"
        ).write_text("{}"),
        "cannot be loaded",
    ),
}  # fmt: skip


def weights(folder: Path) -> Path:
    return folder / "diffusion_pytorch_model.safetensors"


@pytest.mark.parametrize("name", BREAK)
def test_a_model_that_is_broken_is_refused_with_its_folder(tmp_path: Path, name: str) -> None:
    build_model(1).save_pretrained(tmp_path)
    spoil, rule = BREAK[name]
    spoil(tmp_path)
    with pytest.raises(ValueError, match=rule) as raised:
        load_model(tmp_path)
    assert str(raised.value).startswith(str(tmp_path))
    assert "\n" not in str(raised.value)


def test_the_files_of_a_model(tmp_path: Path) -> None:
    build_model(1).save_pretrained(tmp_path)
    assert set(model_files(tmp_path)) == set(tmp_path.iterdir())
