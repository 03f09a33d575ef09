"""Pieces of the demo model's training that need neither pictures nor weights."""

import dataclasses

import pytest
import torch

pytest.importorskip("PIL")

from fresco_core.demo.autoencoder import AutoencoderShape, Block, TinyAutoencoder
from fresco_core.demo.scenes import ID_COLUMNS
from fresco_core.demo.transformer import TransformerShape
from tools.demo.budgets import CPU, GPU, Stage
from tools.demo.fit_autoencoder import crop_corner, latent_loss, picture_loss
from tools.demo.fit_transformer import DemoModel, draw_sigma, flow_loss, follow, optimisers
from tools.demo.sample import euler
from tools.demo.start import block_code, start_at_block_code
from tools.demo.work import Course, downscale, save


def test_autoencoder_starts_as_the_best_linear_code():
    torch.manual_seed(0)
    images = torch.rand(4, 3, 8, 8).repeat_interleave(5, 2).repeat_interleave(5, 3)
    model = TinyAutoencoder(AutoencoderShape((16, 32, 64, 64), (0, 1, 2, 3)))
    start_at_block_code(model, [images])
    with torch.no_grad():
        for module in model.taesd_encoder.modules():
            if isinstance(module, Block):
                module.conv[4].weight.zero_()
        latents = model.encode(images)
    inside = latents[..., 1:-1, 1:-1]
    assert inside.std() == pytest.approx(1, abs=0.3)
    mean, components = block_code([images])
    white = components.flatten(1) @ mean
    grey = model.encode(torch.zeros(1, 3, 24, 24))[0, :, 1, 1]
    torch.testing.assert_close(grey, -white, atol=1e-3, rtol=1e-3)


def test_course_warms_up_stays_and_decays():
    course = Course(Stage(steps=100, minutes=1e9, batch=(1, 1, 1), rate=1, warmup=10, decay=0.5))
    factors = []
    for course.step in range(100):
        factors.append(course.rate_factor())
    assert factors[0] == pytest.approx(0.1)
    assert factors[20] == factors[49] == 1
    assert factors[75] == pytest.approx(0.5)


def test_course_goes_on_where_it_stopped():
    stage = Stage(steps=100, minutes=1, batch=(1, 1, 1), rate=1)
    course, again = Course(stage), Course(stage)
    course.step, course.seconds = 7, 30.0
    again.load(course.state())
    assert again.step == 7 and again.progress == pytest.approx(0.5, abs=0.01)


def test_levels_follow_the_mix():
    stage = Stage(10, 1e9, (1, 1, 1), 1, levels_first=(0, 1, 0), levels_last=(1, 0, 0))
    course, random = Course(stage), torch.Generator().manual_seed(0)
    assert {course.level(random) for _ in range(20)} == {1}
    course.step = 6
    assert {course.level(random) for _ in range(20)} == {0}


def test_checkpoints_are_whole(tmp_path):
    save(tmp_path / "a.pt", {"x": torch.ones(2)})
    assert [file.name for file in tmp_path.iterdir()] == ["a.pt"]
    assert torch.load(tmp_path / "a.pt")["x"].sum() == 2


def test_losses_vanish_where_they_should():
    pictures = torch.rand(2, 3, 16, 16)
    assert picture_loss(pictures, pictures) == 0
    assert picture_loss(pictures, 1 - pictures) > 0.1
    torch.manual_seed(0)
    assert latent_loss(torch.randn(8, 16, 64, 64)) < 0.01
    assert latent_loss(3 + torch.randn(8, 16, 64, 64)) > 5
    assert downscale(pictures, 2).shape == (2, 3, 4, 4)


def test_three_quarters_of_a_picture_is_the_mean_over_pixels_of_four_thirds():
    line = torch.tensor([0.0, 3.0, 6.0, 9.0])
    small = downscale(line.expand(1, 1, 4, 4), 3)
    torch.testing.assert_close(small, torch.tensor([0.75, 4.5, 8.25]).expand(1, 1, 3, 3))


@pytest.mark.parametrize("budget", [CPU, GPU])
def test_crops_lie_inside_the_picture_and_near_the_object(budget):
    random, last = torch.Generator().manual_seed(0), budget.looks.side - budget.crop
    corners = {place: [crop_corner(place, budget, random) for _ in range(40)] for place in range(10)}
    for place in range(10):
        for top, left in corners[place]:
            assert 0 <= top <= last and 0 <= left <= last and top % 8 == left % 8 == 0
    assert max(top for top, _ in corners[2]) < min(top for top, _ in corners[8])


def test_sigma_covers_the_range():
    sigma = draw_sigma(4000, torch.Generator().manual_seed(0))
    assert 0 <= sigma.min() < 0.01 and 0.99 < sigma.max() <= 1
    assert sigma.median() == pytest.approx(0.54, abs=0.05)


def test_euler_follows_a_straight_flow_exactly():
    goal = torch.randn(2, 16, 4, 4)

    def model(x, sigma, ids):
        return (x - goal) / sigma[:, None, None, None]

    noise, ids = torch.randn(2, 16, 4, 4), torch.zeros(2, ID_COLUMNS, dtype=torch.int64)
    torch.testing.assert_close(euler(model, noise, ids, 4), goal, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(euler(model, noise, ids, 4, guidance=3.0), goal, atol=1e-4, rtol=1e-4)


def test_training_lowers_the_loss_and_the_average_follows():
    torch.manual_seed(0)
    budget = dataclasses.replace(CPU, transformer_shape=TransformerShape(128, 1, 1, 32, 32))
    model, average = DemoModel(budget), DemoModel(budget)
    average.load_state_dict(model.state_dict())
    steppers = optimisers(model, budget)
    ids = torch.ones(2, ID_COLUMNS, dtype=torch.int64)
    clean, noise, sigma = torch.randn(2, 16, 4, 4), torch.randn(2, 16, 4, 4), torch.tensor([0.2, 0.7])
    losses = []
    for _ in range(8):
        loss = flow_loss(model, clean, ids, sigma, noise)
        losses.append(float(loss.detach()))
        for stepper in steppers:
            stepper.zero_grad()
        loss.backward()
        for stepper in steppers:
            stepper.step()
    assert losses[-1] < losses[0]
    before = average.transformer.final_layer.linear.weight.clone()
    follow(average, model, 0.5)
    now = model.transformer.final_layer.linear.weight
    torch.testing.assert_close(average.transformer.final_layer.linear.weight, (before + now) / 2)


@pytest.mark.parametrize("budget", [CPU, GPU])
def test_budgets_fit_the_layout(budget):
    assert budget.transformer_shape.hidden % 128 == 0
    assert budget.looks.side % 64 == 0, "a quarter-size latent must still have whole 2 x 2 patches"
    assert budget.crop % 32 == 0
