"""The command: what it lists, and what it refuses."""

import pytest

from mutants.__main__ import main

UNIT = ["--unit", "hw/blocks/unpacker.py"]


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    main(["--list", *arguments])
    return capsys.readouterr().out.splitlines()


def test_a_sample_follows_from_its_seed(capsys: pytest.CaptureFixture[str]) -> None:
    every = listed(capsys, *UNIT)
    drawn = [listed(capsys, *UNIT, "--sample", "8", "--seed", seed) for seed in ("3", "3", "4")]
    assert drawn[0] == drawn[1] != drawn[2]
    assert [line for line in every if line in drawn[0]] == drawn[0]
    assert len(drawn[0]) == 8
    assert listed(capsys, *UNIT, "--sample", "1000") == every


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--unit", "hw/words.py"], "'hw/words.py'; it must be a file of hw that makes hardware."),
        (["--sample", "0"], "--sample is 0; it must be at least 1."),
        (["--jobs", "-1"], "--jobs is -1; it must be at least 1."),
    ],
)
def test_bad_arguments(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
