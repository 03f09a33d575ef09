import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fresco_core.canvas.noise_field import check_finite, hashed_noise


@given(
    st.integers(0, 2**63 - 1), st.integers(0, 3), st.integers(0, 5), st.integers(0, 40), st.integers(0, 40)
)
@settings(max_examples=40)
def test_value_depends_on_seed_and_coordinate_alone(seed, batch, frame, y, x):
    whole = hashed_noise(seed, (4, 3, 7, 48, 48))
    part = hashed_noise(seed, (1, 3, 2, 8, 8), origin=(batch, frame, y, x))
    assert torch.equal(whole[batch : batch + 1, :, frame : frame + 2, y : y + 8, x : x + 8], part)


def test_image_is_the_first_frame_of_a_video():
    assert torch.equal(hashed_noise(9, (2, 4, 8, 8)), hashed_noise(9, (2, 4, 3, 8, 8))[:, :, 0])


def test_field_is_white_and_unit():
    z = hashed_noise(11, (4, 8, 128, 128))
    n = z.numel()
    assert abs(float(z.mean())) < 5 / n**0.5 and abs(float(z.var()) - 1) < 5 * (2 / n) ** 0.5
    assert abs(float((z**4).mean()) - 3.0) < 0.1
    for shifted in (
        z[:, 1:] * z[:, :-1],
        z[..., 1:] * z[..., :-1],
        z[..., 1:, :] * z[..., :-1, :],
        z[1:] * z[:-1],
    ):
        assert abs(float(shifted.mean())) < 5 / shifted.numel() ** 0.5


def test_seeds_differ_and_negative_seed_is_allowed():
    a, b, c = (hashed_noise(s, (1, 1, 64, 64)) for s in (0, 1, -1))
    assert abs(float((a * b).mean())) < 0.1 and abs(float((a * c).mean())) < 0.1


def test_bad_noise_is_refused_with_counts():
    bad = torch.zeros(1, 1, 2, 2)
    bad[0, 0, 0, 0], bad[0, 0, 0, 1] = float("nan"), float("inf")
    with pytest.raises(ValueError, match="1 NaN and 1 infinite of 4"):
        check_finite("latent", bad)
    with pytest.raises(ValueError, match="expected"):
        hashed_noise(0, (2, 2))
