"""FrescoCompare called directly."""

import sys

import pytest
import torch


def compare(**inputs):
    from fresco_pack.nodes.compare import FrescoCompare

    return FrescoCompare.execute(**inputs)


def test_equal_pictures_are_called_equal():
    picture = torch.rand(2, 48, 64, 3)
    output = compare(image_a=picture, image_b=picture.clone())
    row, difference, psnr, ssim, report = output.args
    assert psnr == float("inf") and ssim == pytest.approx(1.0)
    assert report == "pair 0: equal\npair 1: equal"
    assert output.ui["comparison"][0][0]["psnr"] is None, "JSON has no infinity"
    assert torch.equal(row[:, :48, :64], picture) and torch.equal(row[:, :48, -64:], picture)
    assert float(difference[:, :48].max()) < 0.02, "nothing to see"


@pytest.mark.parametrize("error,decibels", [(0.1, 20.0), (0.01, 40.0)])
def test_psnr_of_an_even_error_is_known(error, decibels):
    picture = torch.full((1, 32, 32, 3), 0.5)
    assert compare(image_a=picture, image_b=picture + error).args[2] == pytest.approx(decibels, abs=1e-3)


def test_ssim_falls_with_noise_and_is_symmetric():
    generator = torch.Generator().manual_seed(0)
    picture = torch.rand(1, 64, 64, 3, generator=generator)
    noise = torch.randn(1, 64, 64, 3, generator=generator)
    scores = [compare(image_a=picture, image_b=picture + s * noise).args[3] for s in (0.02, 0.1, 0.5)]
    assert 1.0 > scores[0] > scores[1] > scores[2] > 0.0
    assert compare(image_a=picture + 0.1 * noise, image_b=picture).args[3] == pytest.approx(
        scores[1], abs=1e-5
    )


def test_the_difference_is_brightest_where_the_pictures_differ():
    a, b = torch.zeros(2, 1, 40, 40, 3)
    b[:, 10:20, 10:20] = 0.25
    difference = compare(image_a=a, image_b=b).args[1][0, :40]
    torch.testing.assert_close(difference[15, 15], torch.tensor([0.988, 0.998, 0.645]))
    assert float(difference[30, 30].max()) < 0.02
    twice = compare(image_a=a, image_b=b, brightest=0.5).args[1][0, :40]
    torch.testing.assert_close(twice[15, 15], torch.tensor([0.736, 0.216, 0.330]))


def test_one_picture_is_compared_with_a_batch_and_latents_are_decoded():
    class Vae:
        def decode(self, latent):
            return (
                latent.mean(dim=1)
                .unsqueeze(-1)
                .repeat_interleave(8, 1)
                .repeat_interleave(8, 2)
                .expand(-1, -1, -1, 3)
            )

    latent = {"samples": torch.rand(1, 4, 8, 8)}
    output = compare(latent_a=latent, image_b=torch.rand(3, 64, 64, 3), vae=Vae())
    assert output.args[0].shape[0] == 3 and len(output.ui["comparison"][0]) == 3 == len(output.ui["images"])


@pytest.mark.parametrize(
    "inputs,message",
    [
        ({}, "nothing is connected for a: connect image_a, or latent_a and vae"),
        ({"image_a": (1, 32, 32), "image_b": (1, 32, 40)}, "a is 32x32 and b is 40x32 pixels"),
        ({"image_a": (2, 32, 32), "image_b": (3, 32, 32)}, "a holds 2 pictures and b 3"),
        (
            {"image_a": (1, 8, 32), "image_b": (1, 8, 32)},
            "32x8 pixels; structural similarity needs at least 11",
        ),
    ],
)
def test_what_cannot_be_compared_is_explained(inputs, message):
    with pytest.raises(ValueError, match=message):
        compare(**{name: torch.rand(*shape, 3) for name, shape in inputs.items()})
    with pytest.raises(ValueError, match="latent_b is connected without a vae"):
        compare(image_a=torch.rand(1, 32, 32, 3), latent_b={"samples": torch.rand(1, 4, 4, 4)})


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "kornia.metrics", None)
    with pytest.raises(RuntimeError, match="needs kornia"):
        compare(image_a=torch.rand(1, 32, 32, 3), image_b=torch.rand(1, 32, 32, 3))
