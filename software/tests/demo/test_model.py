from pathlib import Path

import pytest
import torch

from software.demo.model import GRID, SIZE, build_model, load_model, velocity
from software.demo.prompt import Prompt, embed
from software.demo.recording import recording


def test_the_architecture_has_512_video_tokens_of_128_channels() -> None:
    model = build_model(1).eval()
    with recording(model) as seen, torch.no_grad():
        velocity(model, torch.zeros(1, 8, 3, SIZE, SIZE), torch.zeros(1), Prompt(0).tokens)
    assert seen.outputs[0, 0].shape == (GRID[0] * GRID[1] * GRID[2], 128) == (512, 128)


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
        noisy = torch.randn(2, 8, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
        time = torch.tensor([0.0, 0.8])
        text = embed(torch.tensor([0, 2]), torch.zeros(2))
        found = velocity(model, noisy, time, text)
    arrived = noisy + (1 - time).view(-1, 1, 1, 1, 1) * found
    torch.testing.assert_close(arrived, torch.full_like(arrived, 0.25), atol=1e-5, rtol=0)


def test_a_saved_model_loads_with_the_same_weights(tmp_path: Path) -> None:
    model = build_model(1, seed=3)
    model.save_pretrained(tmp_path)
    loaded = load_model(tmp_path)
    assert not loaded.training
    for name, value in model.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name]), name


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"holds no model: config\.json is missing"):
        load_model(tmp_path)
