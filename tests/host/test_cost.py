"""The cost model against a FLOP counter over the host's own model classes, full size on the meta device."""

import comfyui_version
import pytest
import tiny
import torch
from meta_models import META_MODELS, step_flops

CALLS = [  # width, height, frames (of video models), batch, text tokens (None: the model's own)
    (1024, 1024, 1, 1, None),
    (512, 512, 9, 2, 77),
]


@pytest.mark.parametrize("name", META_MODELS)
def test_predicted_flops_are_those_that_the_host_spends(name):
    from fresco_pack.fresco_core.cost.registry import MODELS

    spec, model = META_MODELS[name], MODELS[name]
    network = spec.build()
    if network is None:
        pytest.skip(f"ComfyUI {comfyui_version.__version__} has no {spec.module}")
    for width, height, frames, batch, text in CALLS:
        canvas = model.canvas(width, height, frames if model.frames else 1)
        counted = step_flops(network, spec, canvas, batch, text or model.architecture.text_tokens)
        predicted = model.architecture.step_flops(canvas.tokens(0), batch, text)
        print(
            f"{name} {width}x{height} batch {batch}: {predicted / counted:.5f} of {counted / 1e12:.3f} TFLOPs"
        )
        assert predicted == pytest.approx(counted, rel=0.01)


def test_every_registered_model_is_checked():
    from fresco_pack.fresco_core.cost.registry import MODELS

    assert set(MODELS) == set(META_MODELS)


@pytest.mark.parametrize("count", (0, 1, 2))
def test_pictures_of_reference_are_in_what_is_told_before_the_run(apply, count):
    import node_helpers
    from fresco_pack.fresco_core.text.in_words import flops_in_words

    told, traces, model = [], [], tiny.build("flux", size=(16, 16))
    pictures = [torch.randn(1, 16, 16, 16) for _ in range(count)]
    positive = node_helpers.conditioning_set_values(model.positive, {"reference_latents": pictures})
    patched = apply(model.patcher, "draft 1/2 x3; refine x3", traces, tell=told.append)
    tiny.sample(patched, model, steps=6, cfg=1.0, positive=positive if count else model.positive)
    spent = sum(e.flops for e in traces[0].evaluations)
    assert f"{flops_in_words(traces[0].evaluations[-1].full_flops)} a full step" in told[0]
    assert f"{flops_in_words(spent)} in all" in told[0]
