"""The config that a command is asked for: a preset or a file, and fields set one by one."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

from hw.config import DEFAULT_PRESET, EngineConfig
from software.library.backends.presets import preset_config

_TYPES = {field.name: field.type for field in fields(EngineConfig)}
_REQUIRED = [
    field.name for field in fields(EngineConfig)
    if field.default is MISSING and field.default_factory is MISSING
]  # fmt: skip


class Chosen(NamedTuple):
    """A config, and the module that has it unless another name is asked for."""

    config: EngineConfig
    module: str


def chosen_config(
    preset: str | None, file: Path | None, scale_group: int | None, settings: Sequence[str]
) -> Chosen:
    """The config of a preset or a file, with fields replaced.

    Args:
        preset: the name of one; the default one where no file is given either.
        file: JSON: what ``orbis verilog`` writes, or an object of fields.
        scale_group: shorthand for that field.
        settings: ``FIELD=VALUE`` each.

    Raises:
        ValueError: one sentence: no such preset, field or value, a file that holds no config, or
            what contradicts itself.
        OSError: a file that cannot be read.
    """
    if file is not None and preset is not None:
        raise ValueError("preset and config are both given; an engine has one of them.")
    given: dict[str, Any] = dict(map(_setting, settings))
    if len(given) < len(settings):
        raise ValueError("a field is set twice; set each once.")
    if scale_group is not None and given.setdefault("scale_group", scale_group) != scale_group:
        raise ValueError("scale_group is set to two values; set it once.")
    if file is None:
        preset = DEFAULT_PRESET if preset is None else preset
        base = Chosen(preset_config(preset), f"orbis_{preset}")
    else:
        base = _read(file)
    return Chosen(replace(base.config, **given), base.module)


def _setting(text: str) -> tuple[str, int | str]:
    """The field and the value of ``FIELD=VALUE``."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"set is {text!r}; it must be FIELD=VALUE.")
    _check_field(name, "set")
    if _TYPES[name] is str:
        return name, value
    try:
        return name, int(value)
    except ValueError as error:
        raise ValueError(f"{name} is {value!r}; it must be a whole number.") from error


def _check_field(name: str, where: str) -> None:
    if name not in _TYPES:
        raise ValueError(f"{where} names {name!r}; it must be one of {', '.join(_TYPES)}.")


def _read(file: Path) -> Chosen:
    """The config in a file, and the module that it describes, or else one named after the file."""
    try:
        content = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} is no JSON file.") from error
    described = isinstance(content, dict) and isinstance(content.get("config"), dict)
    found = content["config"] if described else content
    if not isinstance(found, dict):
        raise ValueError(f"{file} holds no config: it must be an object of its fields.")
    return Chosen(_from_fields(found, file), str(content.get("module", file.stem)))


def _from_fields(found: Mapping[str, Any], file: Path) -> EngineConfig:
    for name, value in found.items():
        _check_field(name, str(file))
        if type(value) is not _TYPES[name]:
            kind = "text" if _TYPES[name] is str else "a whole number"
            raise ValueError(f"{name} is {json.dumps(value)} in {file}; it must be {kind}.")
    if missing := [name for name in _REQUIRED if name not in found]:
        raise ValueError(f"{file} lacks {', '.join(missing)}.")
    return EngineConfig(**found)
