import pytest
import torch
from plain_euler import sample_euler

from fresco_core.canvas.haar import expand, merge
from fresco_core.canvas.noise_field import hashed_noise
from fresco_core.canvas.noise_level import VE
from fresco_core.canvas.size import Canvas
from fresco_core.demo.closed_form import HaarProcess, power_law
from fresco_core.look.convergence import ConvergenceTracker
from fresco_core.look.dense import DenseLook
from fresco_core.sampling import flow_sigmas, sample
from fresco_core.schedule.planning import make_plan
from fresco_core.text.grammar import parse
from fresco_core.text.in_words import trace_in_words
from fresco_core.trace import Trace
from fresco_core.view.colours import colour
from fresco_core.view.heatmap import converged_mask, heatmap

CANVAS = Canvas(32, 32)


def process():
    means = torch.randn(4, 2, 32, 32, generator=torch.Generator().manual_seed(0))
    return HaarProcess(torch.nn.functional.avg_pool2d(means, 9, 1, 4) * 6, power_law(3, 0.02, 2.0))


def plan(text, steps=20):
    return make_plan(parse(text), flow_sigmas(steps), CANVAS)


@pytest.mark.parametrize(
    "text",
    [
        "1/2 until 0.8, full",
        "draft 1/2 60%; refine 0.75 40%",
        "draft 1/4 x4; refine 0.9 1/2 x8; refine 0.7 x8",
        "draft 1/2 x10 to 0.1; refine 0.75 x10",
    ],
)
def test_the_composition_of_the_seed_survives(text):
    """Every picture lands at the mean picture that the full sampler chooses for the same noise."""
    p = process()
    noise = hashed_noise(5, (24, 2, 32, 32))
    full = sample(p.denoise, noise, plan("full"))
    ours = sample(p.denoise, noise, plan(text))

    def chosen(x):
        return ((x.unsqueeze(1) - p.means) ** 2).flatten(2).sum(2).argmin(1)

    assert len(set(chosen(full).tolist())) == 4
    agreement = float((chosen(full) == chosen(ours)).float().mean())
    assert agreement >= 0.65, "chance is a quarter; near ties may fall differently"
    assert torch.equal(ours, sample(p.denoise, noise, plan(text)))


def test_full_plan_is_plain_euler():
    p = process()
    noise = hashed_noise(5, (2, 2, 32, 32))
    assert torch.equal(
        sample(p.denoise, noise, plan("full")), sample_euler(p.denoise, noise, torch.tensor(flow_sigmas(20)))
    )


def test_callback_counts_over_passes_and_the_trace_records_every_evaluation():
    p = process()
    seen = []
    planned = plan("draft 1/2 x12; refine 0.75 x8")
    trace = Trace(2, CANVAS, 2, planned)
    calls = []

    def denoise(x, sigma):
        calls.append(x.shape[-1] ** 2 // 4)
        return p.denoise(x, sigma)

    sample(
        denoise,
        hashed_noise(5, (2, 2, 32, 32)),
        planned,
        callback=lambda step, x0, x: seen.append(step),
        trace=trace,
    )
    assert seen == list(range(20))
    assert [e.tokens for e in trace.evaluations] == calls and trace.tokens == planned.tokens()
    assert [e.convergence is None for e in trace.evaluations] == [i in (0, 12) for i in range(20)]
    assert all(isinstance(e.sigma, float) for e in trace.evaluations)
    assert trace.evaluations[1].convergence.shape == (2, 1, 8, 8)
    assert "12 at 1/2, 8 at full" in trace_in_words(trace) and "1.82x fewer" in trace_in_words(trace)


@pytest.mark.parametrize("part, size, seen_size", [("1/2", 5, 3), ("3/4", 7, 6)])
def test_border_blocks_of_odd_canvases_get_no_more_noise_than_their_level_has(part, size, seen_size):
    """White process: the level states that the sampler feeds its denoiser have one deviation."""
    seen = []

    def denoise(x, sigma):
        seen.append((x.std(dim=(0, 1)), float(sigma[0])))
        return torch.zeros_like(x)

    sample(
        denoise,
        hashed_noise(5, (4, 2000, size, size)),
        make_plan(parse(f"{part} x3, full x1"), flow_sigmas(4), Canvas(size, size, patch=1)),
    )
    for deviation, sigma in seen[:3]:
        assert deviation.shape == (seen_size, seen_size)
        assert float((deviation / sigma - 1.0).abs().max()) < 0.06


def test_nan_noise_is_refused_before_the_first_step():
    noise = hashed_noise(5, (1, 2, 32, 32))
    noise[0, 0, 0, 0] = float("nan")
    with pytest.raises(ValueError, match="noise has 1 NaN"):
        sample(process().denoise, noise, plan("full"))


def test_convergence_is_the_normalised_temporal_variance():
    generator = torch.Generator().manual_seed(0)
    predictions = [torch.randn(2, 3, 16, 16, generator=generator) for _ in range(5)]
    tracker = ConvergenceTracker(block_level=2, window=3)
    values = [tracker.update(x) for x in predictions]
    assert values[0] is None
    blocks = torch.stack([torch.nn.functional.avg_pool2d(x, 4) for x in predictions])
    for last, window in ((1, blocks[0:2]), (4, blocks[2:5])):
        temporal = ((window - window.mean(0)) ** 2).mean(0).mean(1)
        current = blocks[last].flatten(2)
        spatial = ((current - current.mean(2, keepdim=True)) ** 2).mean(2).mean(1)
        torch.testing.assert_close(values[last][:, 0], temporal / spatial.reshape(-1, 1, 1))


def test_convergence_ignores_scale_and_tells_still_blocks_from_moving_ones():
    base = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    trackers = ConvergenceTracker(), ConvergenceTracker()
    for i in range(3):
        x = base.clone()
        x[..., :8] += 0.3 * i
        v, scaled = (t.update(x * s) for t, s in zip(trackers, (1.0, 37.0)))
    torch.testing.assert_close(v, scaled)
    assert float(v[..., 2:].max()) < 1e-10 < 1e-3 < float(v[..., :2].min())


def test_convergence_of_video_is_per_frame_and_a_new_size_starts_over():
    tracker = ConvergenceTracker()
    assert tracker.update(torch.randn(1, 4, 5, 16, 16)) is None
    assert tracker.update(torch.randn(1, 4, 5, 16, 16)).shape == (1, 5, 4, 4)
    assert tracker.update(torch.randn(1, 4, 5, 24, 16)) is None
    with pytest.raises(ValueError, match="at least 2"):
        ConvergenceTracker(window=1)


def test_heatmaps_and_masks_have_the_pictures_size_and_order():
    trace = Trace(1, Canvas(18, 16), 2)
    blocks = torch.logspace(-5, 0, 20).reshape(1, 1, 5, 4)
    trace.add(0, torch.tensor([0.5]), DenseLook(1), blocks)
    trace.add(0, torch.tensor([0.4]), DenseLook(1), None)
    evaluation = trace.finish().evaluations[0]
    picture = heatmap(evaluation, trace)
    assert picture.shape == (1, 144, 128, 3) and float(picture.min()) >= 0.0 and float(picture.max()) <= 1.0
    assert torch.equal(picture[0, 0, 0], colour(torch.tensor(0.0)))
    mask = converged_mask(evaluation, trace, tau=float(blocks.flatten()[10]))
    assert mask.shape == (1, 144, 128) and float(mask[0, 0, 0]) == 1.0 and float(mask[0, -1, -1]) == 0.0
    for draw in (lambda e: heatmap(e, trace), lambda e: converged_mask(e, trace, 0.1)):
        with pytest.raises(ValueError, match="no convergence value"):
            draw(trace.evaluations[1])


def test_the_demo_command_writes_a_sheet_and_compares(tmp_path, capsys):
    from PIL import Image

    from fresco_core.__main__ import main

    draft = ["--schedule", "draft 1/2 x4; refine 0.8 x2"]
    short = ["--model", "short", "--prompt"]
    few_words = ([*short, "three fruits on stripes"], [*short, ""])
    for model in ([], ["--landscape"], ["--prompt", "a big cat centre"], *few_words):
        assert main(["demo", "--steps", "6", "--seed", "4", "--out", str(tmp_path), *draft, *model]) == 0
        printed = capsys.readouterr().out
        assert "2.00x" in printed and "PSNR of fresco to plain" in printed, (
            "4 of 6 steps at a quarter of the tokens"
        )
        assert "PSNR of plain with 3 steps, which cost as much" in printed
        assert Image.open(tmp_path / "fresco_demo_4.png").size[0] == 1120


@pytest.mark.parametrize(
    "options,words", [(["--schedule", "1/2"], "never becomes full"), (["--prompt", "a frogg"], "'frog'")]
)
def test_the_demo_command_explains_bad_input(options, words, tmp_path, caplog):
    from fresco_core.__main__ import main

    assert main(["demo", "--out", str(tmp_path), *options]) == 2
    assert words in caplog.text


def test_a_refine_pass_without_sigma_takes_the_draft_for_a_first_prediction():
    """Where the draft predicts what the full model would, all is a plain run whose first step is shorter."""
    p = process()
    noise = hashed_noise(5, (2, 2, 32, 32))
    first = expand(merge(p.denoise(noise, torch.ones(2)), 1), 1)

    def denoise(x, sigma):
        if x.shape[-1] < 32:
            return merge(first, 1)
        return torch.where(sigma[0] > 0.999, first, p.denoise(x, sigma))

    planned = plan("draft 1/2 x4; refine x4", 8)
    grid = torch.tensor([1.0, *planned.passes[1].sigmas])
    assert 0 < grid[0] - grid[1] < grid[1] - grid[2]
    plain = sample_euler(denoise, noise, grid)
    torch.testing.assert_close(sample(denoise, noise, planned), plain, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "text", ["draft 1/2 x4; refine 0.9 x4", "draft 1/2 x3; refine 0.9 1/2 x2; refine 0.8 x3"]
)
def test_an_exploding_run_goes_on_between_its_draft_and_the_state_it_began_in(text):
    """That state has all of the picture beside the noise, so the draft must not be added to it once more."""
    p, states = process(), []
    noise = hashed_noise(5, (2, 2, 32, 32))
    sigmas = [20.0, 12.0, 7.0, 4.0, 2.0, 1.0, 0.5, 0.2, 0.0]
    planned = make_plan(parse(text), sigmas, CANVAS, VE, 20.0)
    assert len(planned.passes) > 1

    def denoise(x, sigma):  # the same process as a flow's
        share = (sigma / (1.0 + sigma)).reshape(-1, 1, 1, 1)
        return p.denoise(x * (1.0 - share), share.flatten())

    sample(denoise, noise, planned, VE, callback=lambda step, x0, x: states.append((x0, x)))
    first, end = planned.passes[0].steps, planned.passes[1].sigmas[0]
    x0 = states[first - 1][0]
    torch.testing.assert_close(states[0][1], 20.0 * noise)
    torch.testing.assert_close(states[first][1], x0 + end / 20.0 * (states[0][1] - x0), atol=1e-3, rtol=1e-4)
