"""Fresco Convergence on real runs of tiny models: video, mixed steps, sides that no block divides."""

import pytest
import tiny
import torch
from node_runs import ksampled


def shown(trace, **inputs):
    from fresco_pack.nodes.convergence import FrescoConvergence

    return FrescoConvergence.execute(trace, legend=False, **inputs)


@pytest.mark.parametrize("family", ["wan", "hunyuan_video"])
def test_a_video_gives_strips_and_a_mask_for_each_frame(family):
    from fresco_pack.nodes.view.trace_pictures import CHANGE, CONVERGED, REFINED

    latent, trace = ksampled(tiny.build(family, size=(18, 26), frames=3), schedule="1/2 x5, full x5")
    assert trace.canvas.frames == 3 and latent["samples"].shape[2] == 3
    scale = trace.scale
    one = shown(trace, samples=latent, steps="-1")
    strip = shown(trace, samples=latent, steps="-1", frames="strip")
    assert one.args[0].shape == (1, 18 * scale, 26 * scale, 3)
    assert strip.args[0].shape == strip.args[3].shape == (1, 18 * scale, 3 * 26 * scale, 3)
    masks = {
        kind: shown(trace, mask=kind, step=-1, tau=1e-3).args[1] for kind in (CONVERGED, REFINED, CHANGE)
    }
    for mask in masks.values():
        assert mask.shape == (3, 18 * scale, 26 * scale) and mask.dtype == torch.float32
        assert float(mask.min()) >= 0.0 and float(mask.max()) <= 1.0
    values = trace.evaluations[-1].convergence[0]
    assert values.shape == (3, 5, 7), "sides that no block divides have a last, smaller block"
    for frame in range(3):
        assert float(masks[CONVERGED][frame, -1, -1]) == float(values[frame, -1, -1] < 1e-3)
        assert bool((masks[REFINED][frame] == 1).all())
    assert not bool(shown(trace, mask=REFINED, step=1).args[1].any())
    assert not torch.equal(values[0], values[2])


def test_overlays_of_a_video_lie_over_its_own_frames():
    _, trace = ksampled(tiny.build("wan", size=(16, 16), frames=3), schedule="1/2 x4, full x4", steps=8)
    pictures = torch.arange(9).float().reshape(9, 1, 1, 1).expand(9, 64, 64, 3) / 9
    output = shown(trace, image=pictures, frames="strip", steps="-1", opacity=0.0)
    side = output.args[2].shape[1]
    found = [float(output.args[2][0, 0, side * i, 0]) for i in range(3)]
    assert found == pytest.approx([0.0, 4 / 9, 8 / 9], abs=1e-6)


@pytest.mark.usefixtures("any_size")
@pytest.mark.parametrize("size", [(24, 24), (18, 22)])
def test_the_promotion_map_of_mixed_steps_tells_which_block_was_refined_when(size):
    from fresco_pack.fresco_core.view.colours import colour
    from fresco_pack.fresco_core.view.heatmap import first_refined
    from fresco_pack.nodes.view.trace_pictures import REFINED

    _, trace = ksampled(tiny.build("flux", size=size, batch=2), preset="progressive", steps=20)
    mixed = [i for i, e in enumerate(trace.evaluations) if e.fine is not None]
    first, count = first_refined(trace), len(trace.evaluations)
    full = next(i for i, e in enumerate(trace.evaluations) if e.level == 0)
    assert mixed[0] > 1 and int(first.min()) == mixed[0] and int(first.max()) == full
    assert len(first.unique()) > 2, "blocks were refined one after the other"
    picture = shown(trace).args[3]
    scale = picture.shape[1] // size[0]
    side = scale << trace.block_level
    for item in range(2):
        for y in range(first.shape[2]):
            for x in range(first.shape[3]):
                expected = colour(first[item, 0, y, x] / (count - 1))
                torch.testing.assert_close(picture[item, y * side, x * side], expected)
    for i in mixed:
        evaluation = trace.evaluations[i]
        mask = shown(trace, mask=REFINED, step=i + 1).args[1]
        assert mask.shape == (2, size[0] * trace.scale, size[1] * trace.scale)
        block = trace.scale << trace.block_level
        sampled = mask[:, block // 2 :: block, block // 2 :: block].bool()
        assert torch.equal(sampled, evaluation.fine[:, 0, : sampled.shape[1], : sampled.shape[2]])


@pytest.mark.usefixtures("any_size")
def test_the_numbers_of_a_mixed_run_add_up():
    _, trace = ksampled(tiny.build("flux", size=(24, 24)), preset="progressive", steps=20)
    from fresco_pack.nodes.view.readout import maps

    rows = shown(trace).ui["evaluations"][0]
    full = trace.canvas.tokens(0)
    assert [row["tokens"] for row in rows] == [e.tokens for e in trace.evaluations]
    for row, evaluation in zip(rows, trace.evaluations):
        if evaluation.fine is not None:
            fine = round(row["refined"] * full)
            assert row["tokens"] == pytest.approx(fine + (full - fine) / 4), (
                "a coarse token for four fine ones"
            )
    assert maps(trace, "viridis")["fine"] is not None
