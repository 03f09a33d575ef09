"""The cost model against a FLOP counter over the host's own model classes, full size on the meta device."""

import comfyui_version
import pytest
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
