"""The page of families is what the families, diffusers and the tests' pipelines make of it."""

from software.library.families import FAMILIES, family_of
from software.tests.library.families_page import PAGE, page, pipelines, run_in_tests
from software.tests.library.tiny_guided import GUIDED
from software.tests.library.tiny_pipelines import PIPELINES


def test_the_page_says_what_is_supported_and_was_run() -> None:
    refresh = "run `python -m software.tests.library.families_page`"
    assert page() == PAGE.read_text(), refresh
    assert "(docs/families.md)" in (PAGE.parents[1] / "README.md").read_text()


def test_a_pipeline_of_every_family_is_run() -> None:
    pipes = [each.pipe() for each in (PIPELINES | GUIDED).values()]
    assert {family_of(pipe.transformer) for pipe in pipes} == set(FAMILIES)


def test_a_pipelines_pictures_are_those_of_its_call() -> None:
    assert pipelines("MochiTransformer3DModel") == {"MochiPipeline": []}
    assert pipelines("LTXVideoTransformer3DModel")["LTXImageToVideoPipeline"] == ["image"]
    found = run_in_tests()
    assert found["WanVACEPipeline"] == ["reference_images"]
    assert "LTXI2VLongMultiPromptPipeline" not in found
