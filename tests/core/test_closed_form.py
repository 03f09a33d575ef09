"""What plans do to the statistics of an exactly known process."""

import pytest
import torch

from fresco_core.canvas.haar import expand, merge
from fresco_core.canvas.noise_field import hashed_noise
from fresco_core.canvas.noise_level import FLOW, recompose
from fresco_core.canvas.size import Canvas
from fresco_core.demo.closed_form import HaarProcess, power_law
from fresco_core.look.dense import coarse_state, dense_look
from fresco_core.sampling import euler_step, flow_sigmas, sample
from fresco_core.schedule.planning import make_plan
from fresco_core.text.grammar import parse

STEPS = 50
SWITCH = "1/2 until 0.56, full"


@pytest.fixture
def say(capsys):
    """Print a figure whatever the runner captures."""

    def call(line):
        with capsys.disabled():
            print(line)

    return call


def white(size=16):
    return HaarProcess(torch.zeros(1, 1, size, size), power_law(3, 1.0, 0.0))


def run(process, text, fresh=False, count=600):
    """One-pass Euler from a hashed field; `fresh` redraws the hidden band's noise at the switch."""
    size = process.means.shape[-1]
    planned = make_plan(parse(text), flow_sigmas(STEPS), Canvas(size, size, patch=1)).passes[0]
    x = hashed_noise(3, (count, 1, size, size))
    previous = planned.levels[0]
    for s, s_next, level in zip(planned.sigmas, planned.sigmas[1:], planned.levels):
        sigma, sigma_next = torch.tensor(s), torch.tensor(s_next)
        if fresh and level == 0 and previous > 0:
            redrawn = recompose(torch.zeros_like(x), hashed_noise(99, x.shape), sigma, FLOW)
            x = expand(merge(x, 1), 1) + redrawn - expand(merge(redrawn, 1), 1)
        previous = level
        x = euler_step(x, dense_look(process.denoise, x, sigma, level), sigma, sigma_next)
    return x


def variances(process, x):
    return [float(band.var()) for band in process.bands(x, 0)]


def test_a_coarse_look_loses_energy_of_the_band_it_hides_and_fresh_noise_drifts(say):
    """A unit-power band, 50 steps, half resolution until sigma = 0.56."""
    process = white()
    full = run(process, "full")
    rows = {
        "full": full,
        "coarse": run(process, SWITCH),
        "coarse, fresh noise at the switch": run(process, SWITCH, fresh=True),
    }
    say(f"\n{'unit band, switch at 0.56':34s} finest band   second band   relative squared distance to full")
    figures = {}
    for name, x in rows.items():
        fine, second = variances(process, x)[:2]
        distance = float(((x - full) ** 2).mean() / (full**2).mean())
        figures[name] = fine, second, distance
        say(f"{name:34s} {fine:11.3f} {second:13.3f} {distance:14.4f}")
    assert figures["full"][0] == pytest.approx(0.95, abs=0.02)
    assert figures["coarse"][0] == pytest.approx(0.60, abs=0.03)
    assert figures["coarse"][1] == pytest.approx(figures["full"][1], rel=1e-3), "what the level shows stays"
    assert figures["coarse, fresh noise at the switch"][2] > 5 * figures["coarse"][2]


def test_linear_rewind_of_a_gaussian_is_too_strong_by_the_predicted_factor(say):
    """The rewind (1 - s) x0 + s eps adds x0 and eps coherently, because the draft was made from the same eps.

    On the sampler's own path the state at s has deviation sqrt((1 - s)^2 S + s^2); the rewound one has
    (1 - s) sqrt(S) + s. The prediction is checked here, so that nobody takes the rewind for the exact path.
    """
    process = white()
    sigmas = flow_sigmas(200)
    noise = hashed_noise(3, (200, 1, 16, 16))
    canvas = Canvas(16, 16, patch=1)
    draft = sample(process.denoise, noise, make_plan(parse("full"), sigmas, canvas))
    say("\nrewind to   deviation on the path   after the rewind   predicted")
    for s in (0.5, 0.75, 0.9):
        path = ((1 - s) ** 2 + s**2) ** 0.5
        rewound = float(recompose(draft, noise, torch.tensor(s), FLOW).std())
        predicted = (1 - s) * float(draft.std()) + s
        say(f"{s:9.2f} {path:23.3f} {rewound:18.3f} {predicted:11.3f}")
        assert rewound == pytest.approx(predicted, rel=0.01)
        assert rewound > path * 1.05


def test_mixture_denoiser_is_a_posterior_mean():
    """Tower property, checked on samples: the error of E[x0|x] is uncorrelated with functions of x."""
    generator = torch.Generator().manual_seed(2)
    means = torch.randn(3, 1, 8, 8, generator=generator)
    process = HaarProcess(means, power_law(2, 0.1, 2.0))
    x0 = process.draw(4000, generator)
    sigma = torch.tensor(0.7)
    x = recompose(x0, torch.randn(x0.shape, generator=generator), sigma, FLOW)
    for level in (0, 1):
        state, s = coarse_state(x, sigma, level)
        error = process.denoise(state, s) - merge(x0, level)
        for probe in (torch.ones_like(state), state, torch.tanh(3 * state)):
            correlation = (error * probe).flatten(1).mean(1)
            assert float(correlation.mean().abs()) < 5 * float(correlation.std()) / 4000**0.5
    with pytest.raises(ValueError, match="is no level"):
        process.denoise(torch.zeros(1, 1, 3, 3), sigma)


def test_what_the_rewind_leaves_in_the_result_of_a_gaussian_process(say):
    """A Gaussian's exact denoiser keeps the surplus of the rewound state, so two passes end too strong; a
    draft that ends where it is refined leaves nearly none, as its prediction is weak where little is decided.

    Real pictures are no Gaussian process; on one, this is the price of the rewind, measured.
    """
    process = white()
    sigmas = flow_sigmas(STEPS)
    noise = hashed_noise(3, (300, 1, 16, 16))
    canvas = Canvas(16, 16, patch=1)

    def result(text):
        return sample(process.denoise, noise, make_plan(parse(text), sigmas, canvas))

    full = variances(process, result("full"))
    say("\nafter 50 steps                       finest band   second band")
    say(f"full                                 {full[0]:11.3f} {full[1]:13.3f}")
    for text in ("draft 1/2 60%; refine 0.9 40%", "draft 1/2 60%; refine 0.75 40%"):
        two = variances(process, result(text))
        say(f"{text:36s} {two[0]:11.3f} {two[1]:13.3f}")
        assert 1.1 * full[1] < two[1] < 2.0 * full[1]
        ended = variances(process, result(text.replace(";", " to refine;")))
        say(f"{'the same, to refine':36s} {ended[0]:11.3f} {ended[1]:13.3f}")
        assert ended[0] == pytest.approx(two[0]) and ended[1] == pytest.approx(full[1], rel=0.07)
