"""FrescoCompare called directly."""

import json
import sys

import pytest
import torch


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """The host's temporary folder for one test."""
    import folder_paths

    monkeypatch.setattr(folder_paths, "temp_directory", str(tmp_path))
    return tmp_path


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


def test_pictures_that_lost_their_numbers_are_black(monkeypatch):
    lost = torch.full((1, 32, 32, 3), 0.5)
    lost[:, :16] = float("nan")
    output = compare(image_a=torch.full((2, 32, 32, 3), 0.5), image_b=lost)
    wanted = -10 * torch.tensor(0.25 / 2).log10()
    assert output.args[2] == pytest.approx(float(wanted), abs=1e-3) and 0.0 < output.args[3] < 1.0
    assert all(torch.isfinite(picture).all() for picture in output.args[:2])


@pytest.mark.parametrize("value,seen", [(float("inf"), 1.0), (float("-inf"), 0.0)])
def test_infinite_pixels_are_white_or_black(value, seen):
    picture, there = torch.full((1, 32, 32, 3), 0.5), torch.full((1, 32, 32, 3), 0.5)
    picture[:, :16], there[:, :16] = value, seen
    output = compare(image_a=there, image_b=picture)
    assert output.args[4] == "equal" and torch.equal(output.args[0][:, :32, -32:], there)
    assert json.dumps(output.ui, allow_nan=False)


@pytest.mark.parametrize("value", [1e25, 3e38])
def test_figures_that_are_no_numbers_are_not_told(value):
    picture = torch.rand(2, 32, 32, 3)
    picture[1] *= value
    output = compare(image_a=torch.rand(1, 32, 32, 3), image_b=picture)
    first, second = output.ui["comparison"][0]
    assert json.dumps(output.ui, allow_nan=False) and first["psnr"] > 0 and first["ssim"] < 1
    assert second == {"psnr": None, "ssim": None}
    assert output.args[4].split("\n")[1] == "pair 1: no figures, as values are far from 0 to 1"


def test_grey_pictures_are_compared_as_they_look():
    grey = torch.rand(1, 32, 32, 1)
    output = compare(image_a=grey, image_b=grey.expand(-1, -1, -1, 3))
    assert output.args[2] == float("inf") and output.args[0].shape[-1] == 3


def test_no_pictures_are_told():
    with pytest.raises(ValueError, match="a holds 0 pictures and b 1; expected one at least"):
        compare(image_a=torch.rand(0, 32, 32, 3), image_b=torch.rand(1, 32, 32, 3))


def test_every_picture_of_a_long_video_that_is_listed_is_there(temporary):
    video = torch.rand(300, 16, 16, 3)
    outputs = [compare(image_a=video, image_b=video) for _ in range(3)]
    for output in outputs:
        listed = [*output.ui["images"], *(entry for pair in output.ui["pairs"] for entry in pair.values())]
        assert all((temporary / entry["filename"]).exists() for entry in listed)


def test_videos_are_compared_frame_by_frame(monkeypatch):
    """As memory for the windows of a whole video is not there."""
    import kornia.metrics

    seen, ssim = [], kornia.metrics.ssim

    def counted(a, *rest, **named):
        seen.append(len(a))
        return ssim(a, *rest, **named)

    monkeypatch.setattr(kornia.metrics, "ssim", counted)
    a, b = torch.rand(3, 32, 32, 3), torch.rand(3, 32, 32, 3)
    output = compare(image_a=a, image_b=b)
    assert seen == [1, 1, 1]
    both = ssim(a.movedim(-1, 1), b.movedim(-1, 1), 11, padding="valid").mean()
    assert output.args[3] == pytest.approx(float(both), abs=1e-5)


def test_it_measures_as_fresco_bench_does():
    from fresco_pack.fresco_core.bench.distance import peak_ratio, similarity

    a = torch.rand(2, 40, 24, 3)
    b = (a + 0.1 * torch.rand(2, 40, 24, 3)).clamp(0.0, 1.0)
    output = compare(image_a=a, image_b=b)
    pairs = list(zip(a.split(1), b.split(1)))
    assert output.args[2] == pytest.approx(sum(peak_ratio(x, y) for x, y in pairs) / 2, abs=1e-3)
    assert output.args[3] == pytest.approx(similarity(a, b), abs=1e-5)


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "kornia.metrics", None)
    with pytest.raises(RuntimeError, match="needs kornia"):
        compare(image_a=torch.rand(1, 32, 32, 3), image_b=torch.rand(1, 32, 32, 3))


def traced(spans, level=0):
    """A trace whose evaluations took these seconds."""
    from fresco_pack.fresco_core import Canvas, DenseLook
    from fresco_pack.nodes.engine.recording import RunTrace

    trace = RunTrace(1, Canvas(8, 8), 2)
    for _ in spans:
        trace.add(0, torch.tensor([0.5]), DenseLook(level), None)
    trace.finish()
    trace.spans, trace.seconds = list(spans), sum(spans)
    return trace


def test_seconds_are_of_the_traces_without_the_first_steps_warming_up():
    picture = torch.rand(1, 48, 64, 3)
    both = compare(
        image_a=picture,
        image_b=picture,
        trace_a=traced([5.0, 1.0, 1.0, 1.0]),
        trace_b=traced([0.5, 0.5, 0.5, 0.5], 1),
    )
    assert both.ui["seconds"] == (4.0, 2.0)
    line, said = both.args[4].split("\n")
    assert line.startswith("plain 4 s, Fresco 2 s of sampling, without the first step's warming up")
    assert line.endswith(": Fresco is 2.0x faster than plain") and said == "equal"
    one = compare(image_a=picture, image_b=picture, trace_b=traced([1.0, 1.0]))
    assert one.ui["seconds"] == (None, 2.0) and one.args[4].startswith("Fresco 2 s of sampling")
    assert compare(image_a=picture, image_b=picture).args[4] == "equal"


def test_the_slider_has_its_pairs_and_a_sessions_pictures_are_bounded(temporary, monkeypatch):
    from fresco_pack.nodes.compare import MOST_PAIRS
    from fresco_pack.nodes.server import run_file

    monkeypatch.setattr(run_file, "MOST_PICTURES", 40)
    batch = torch.rand(MOST_PAIRS + 3, 16, 16, 3)
    output = compare(image_a=batch, image_b=batch)
    assert len(output.ui["pairs"]) == MOST_PAIRS and set(output.ui["pairs"][0]) == {"a", "b", "difference"}
    assert all((temporary / pair["a"]["filename"]).exists() for pair in output.ui["pairs"])
    for _ in range(3):
        output = compare(image_a=batch, image_b=batch)
    names = {path.name for path in temporary.iterdir()}
    assert len(names) == 40 and all(pair["b"]["filename"] in names for pair in output.ui["pairs"])
