"""The latency benchmark where there is no host; tests/host/test_latency.py runs it in one."""

import pytest

from benchmarks.latency.__main__ import main
from benchmarks.latency.cases import ON_CPU, ON_GPU
from fresco_core.cost.registry import model


def test_a_machine_without_the_host_is_told_what_it_lacks(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    assert main(["--smoke", "--out", str(tmp_path / "out")]) == 2
    words = capsys.readouterr().err
    assert f"no ComfyUI at {tmp_path}" in words and "COMFYUI_PATH" in words
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("case", ON_GPU)
def test_cases_on_a_gpu_are_the_published_models(case):
    canvas = model(case.name).canvas(case.width, case.height, case.frames[0])
    shape = case.latent_shape(case.frames[0])
    assert (
        shape[-2:] == (canvas.height, canvas.width) and (shape[2] if len(shape) == 5 else 1) == canvas.frames
    )
    assert case.text_tokens == model(case.name).architecture.text_tokens
    assert case.unet["hidden_size"] == 3072 and len(ON_CPU) == 2
