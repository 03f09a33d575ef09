"""What a level hides, against closed forms: white noise, a Gaussian process of known band powers."""

import math

import pytest
import torch

from fresco_core import VE
from fresco_core.demo.closed_form import HaarProcess
from fresco_core.look.spectrum import TOLERANCE, band_powers, coarsest_level, coarsest_level_unseen

PROCESS = HaarProcess(torch.zeros(1, 4, 64, 64), (0.05, 0.4, 3.0, 9.0, 9.0))


def picture(seed=0, count=2):
    return PROCESS.draw(count, torch.Generator().manual_seed(seed))


def limit(power, tolerance=TOLERANCE):
    """The flow sigma from which on a band of that power is noise: (1 - s)^2 P = t s^2."""
    return 1.0 / (1.0 + math.sqrt(tolerance / power))


def test_white_noise_has_unit_power_in_every_band():
    noise = torch.randn(1, 16, 64, 64, generator=torch.Generator().manual_seed(1))
    assert band_powers(noise, 3).tolist() == pytest.approx([1.0] * 3, abs=0.06)


def test_the_powers_of_a_gaussian_process_are_measured():
    assert band_powers(picture(count=1), 3).tolist() == pytest.approx(PROCESS.powers[:3], rel=0.25)
    video = picture().reshape(2, 1, 4, 64, 64).transpose(1, 2)
    assert torch.allclose(band_powers(video, 2), band_powers(picture(), 2), rtol=0.2)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_level_is_allowed_from_the_sigma_on_at_which_all_its_bands_are_noise(level):
    clean = picture()
    powers = band_powers(clean, 3).tolist()
    edge = max(limit(power) for power in powers[:level])
    assert coarsest_level(clean, edge + 1e-4, 3) >= level
    assert coarsest_level(clean, edge - 1e-4, 3) < level
    exploding = max(math.sqrt(power / TOLERANCE) for power in powers[:level])
    assert coarsest_level(clean, exploding * 1.001, 3, VE) >= level
    assert coarsest_level(clean, exploding * 0.999, 3, VE) < level


def test_pure_noise_and_flat_pictures_may_be_seen_at_any_level():
    assert coarsest_level(picture(), 1.0, 3) == 3
    assert coarsest_level(torch.full((1, 4, 9, 7), 2.0), 0.01, 3) == 3


def test_one_rough_picture_of_a_batch_decides():
    clean = torch.cat((torch.zeros(1, 4, 64, 64), picture(count=1)))
    assert coarsest_level(clean, 0.5, 3) == 0 and coarsest_level(clean[:1], 0.5, 3) == 3


@pytest.mark.parametrize("size", [(64, 64), (37, 51)])
def test_only_what_is_painted_counts(size):
    clean = picture(count=1)[..., : size[0], : size[1]].clone()
    clean[..., :16, :16] = 0.0
    mask = torch.zeros(1, 1, *size)
    mask[..., :16, :16] = 1.0
    assert coarsest_level(clean, 0.5, 3) == 0
    assert coarsest_level(clean, 0.5, 3, mask=mask) == 3
    assert coarsest_level(clean, 0.5, 3, mask=1.0 - mask) == 0
    one = torch.zeros(1, 1, *size)
    one[..., 30, 31] = 0.3
    assert coarsest_level(clean, 0.5, 3, mask=one) == 0
    assert coarsest_level(clean, 0.5, 3, mask=torch.zeros_like(mask)) == 3


def test_a_run_that_goes_on_counts_as_a_latent_of_unit_power():
    edge = limit(1.0)
    assert coarsest_level_unseen(edge + 1e-4, 3) == 3 and coarsest_level_unseen(edge - 1e-4, 3) == 0
    assert coarsest_level_unseen(21.0, 2, VE) == 2 and coarsest_level_unseen(19.0, 2, VE) == 0
