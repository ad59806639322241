"""The engine's presets and what they hold; without torch, so that it loads at once."""

from dataclasses import replace

from hw.config import PRESETS, EngineConfig


def preset_config(preset: str, scale_group: int | None = None) -> EngineConfig:
    """The config of a preset, with another scale group where one is given.

    Raises:
        ValueError: no such preset, or a scale group that it cannot have.
    """
    if preset not in PRESETS:
        raise ValueError(f"preset is {preset!r}; it must be one of {', '.join(PRESETS)}.")
    config = PRESETS[preset]
    return config if scale_group is None else replace(config, scale_group=scale_group)


def check_capacity(
    config: EngineConfig, num_tokens: int, channels: int, num_dst: int, max_iterations: int
) -> None:
    """Refuse a job that an engine cannot hold; the sentence names a preset that would hold it."""
    sizes = {"max_tokens": num_tokens, "max_channels": channels, "max_dst": num_dst}
    names = {"max_tokens": "tokens", "max_channels": "channels", "max_dst": "dst tokens"}
    for field, size in sizes.items():
        if size > getattr(config, field):
            fits = [
                name
                for name, other in PRESETS.items()
                if all(wanted <= getattr(other, limit) for limit, wanted in sizes.items())
            ]
            remedy = f"preset {fits[0]} would hold them" if fits else "no preset would hold them"
            raise ValueError(
                f"the job has {size} {names[field]}, but the engine holds at most"
                f" {getattr(config, field)}; {remedy}."
            )
    if max_iterations > config.max_pairings:
        raise ValueError(
            f"max_iterations is {max_iterations}; the engine does at most {config.max_pairings}"
            " pairings."
        )
