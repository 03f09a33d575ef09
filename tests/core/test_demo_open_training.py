"""Training of the demo model on open prompts: pictures, latents that grow, resuming, the CPU's shortcuts."""

import dataclasses
import json
import time

import numpy as np
import pytest
import torch

pytest.importorskip("PIL")
from PIL import Image

from fresco_core.demo.attention import attend_dense, rotary
from fresco_core.demo.autoencoder import TinyAutoencoder
from fresco_core.demo.parsing import parse
from fresco_core.demo.random_scenes import draw_scene
from fresco_core.demo.scene import scene_ids
from fresco_core.demo.transformer import DemoTransformer, TransformerShape
from fresco_core.demo.vocabulary import GROUND_KINDS
from fresco_core.demo.weights import FOLDER, FOLDERS, TRANSFORMER, VAE, load_demo
from tools.demo import fit_transformer, open_render, pool
from tools.demo.budgets import OPEN, SIZES, Stage
from tools.demo.export import export
from tools.demo.fit_transformer import Training, draw_sigma
from tools.demo.held_out import HeldOut
from tools.demo.latents import HELD_OUT_SHARD, encoder, shard_name
from tools.demo.open_grounds import open_ground, pattern
from tools.demo.open_render import NAMED_SIDE
from tools.demo.pool import Pool
from tools.demo.quick_attention import attend_quick
from tools.demo.recognition import Recogniser
from tools.demo.sample import follow_flow
from tools.demo.start import start_at_shipped_code
from tools.demo.train_on import lay_out_weights
from tools.demo.work import Workplace, draw_ids, save

WORDS = OPEN.vocabulary()
TINY = dataclasses.replace(
    OPEN,
    transformer_shape=TransformerShape(128, 1, 1, 16, 16),
    transformer=dataclasses.replace(OPEN.transformer, steps=6, batch=(2, 2, 2, 2), warmup=1),
    shard=32,
    pool=2,
)


def some_shard(seed: int) -> dict:
    """A shard of random latents, 64 x 64 pixels and less."""
    random = torch.Generator().manual_seed(seed)
    return random_part(draw_ids(TINY, 32, seed), random)


def random_part(ids: torch.Tensor, random: torch.Generator) -> dict:
    """Random latents of every picture size for some ids, and random names."""
    sides = [8 * more // less for more, less in SIZES.values()]
    names = torch.randint(len(WORDS.objects) + 1, (len(ids), NAMED_SIDE, NAMED_SIDE), generator=random)
    levels = [torch.randn(len(ids), 16, side, side, generator=random).half() for side in sides]
    return {"ids": ids, "names": names.byte(), "levels": levels}


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A run's folder with one shard and the held-out one; new scenes are random latents, without pictures."""
    for index in (0, HELD_OUT_SHARD):
        save(tmp_path / shard_name(index), some_shard(index))
    monkeypatch.setattr(Workplace, "renderer", lambda self: None)
    monkeypatch.setattr(pool, "encoder", lambda work: None)

    monkeypatch.setattr(pool, "encode_scenes", lambda *given: random_part(given[3], given[4]))
    return Workplace(TINY, tmp_path)


def shards(work: Workplace) -> list[str]:
    """Names of the run's shards."""
    return sorted(file.name for file in work.folder.glob("latents-*.pt"))


def test_pool_grows_to_its_capacity_and_then_forgets_the_oldest(work):
    growing = Pool(work, 2)
    assert len(growing) == 32
    sizes = []
    for _ in range(3):
        growing.grow()
        sizes.append(len(growing))
    assert sizes == [64, 64, 64] and growing.newest == 3
    assert shards(work) == [shard_name(index) for index in (2, 3, HELD_OUT_SHARD)]
    clean, ids, names = growing.batch(1, 5, torch.Generator().manual_seed(0))
    assert clean.shape == (5, 16, 4, 4) and ids.shape == (5, WORDS.columns) and clean.dtype == torch.float32
    assert names.shape == (5, NAMED_SIDE, NAMED_SIDE)


def test_pool_draws_the_same_shard_again_after_an_interruption(work, monkeypatch):
    monkeypatch.setattr(pool, "SLICE", 8)
    whole, broken = Pool(work, 9), Pool(work, 9)
    broken.grow()
    for _ in range(4):
        whole.grow()
    drawn = torch.load(work.file(shard_name(1)))
    work.file(shard_name(1)).unlink()
    again = Pool(work, 9)
    for _ in range(4):
        again.grow()
    redrawn = torch.load(work.file(shard_name(1)))
    assert torch.equal(drawn["ids"], redrawn["ids"]) and torch.equal(drawn["names"], redrawn["names"])
    assert torch.equal(drawn["levels"][0], redrawn["levels"][0])


def test_shards_of_other_picture_sizes_are_refused(work):
    shard = some_shard(0)
    save(work.file(shard_name(0)), shard | {"levels": shard["levels"][:3]})
    with pytest.raises(ValueError, match="has 3 picture sizes, expected 4 .*three quarters.*Delete"):
        Pool(work, 2)


def test_pool_of_nothing_is_refused(work, tmp_path):
    with pytest.raises(ValueError, match="1 or more"):
        Pool(work, 0)
    with pytest.raises(FileNotFoundError, match="stage 'latents'"):
        Pool(Workplace(TINY, tmp_path / "elsewhere"), 2)


def test_training_goes_on_after_an_interruption_as_if_there_had_been_none(work):
    shard = some_shard(0)
    batches = [
        (shard["levels"][1][four].float(), shard["ids"][four], 1, shard["names"][four])
        for four in torch.arange(24).split(4)
    ]
    steady = Training(work)
    for batch in batches:  # the rates fall from the fourth on
        steady.advance(*batch)
    broken = Training(work)
    for index, batch in enumerate(batches):
        if index == 2:
            broken.keep()
            broken = Training(work)
            assert broken.course.step == 2
        broken.advance(*batch)
    for part in ("model", "average", "recogniser"):
        for name, value in getattr(steady, part).state_dict().items():
            torch.testing.assert_close(getattr(broken, part).state_dict()[name], value, msg=name)


@pytest.mark.parametrize("side", [16, 12, 8, 4])
def test_an_early_block_is_asked_what_each_token_belongs_to(side):
    torch.manual_seed(0)
    transformer = DemoTransformer(TINY.transformer_shape)
    recogniser = Recogniser(transformer, 3)
    cells = torch.randint(4, (2, 4, 4), dtype=torch.uint8)  # each covers some tokens of every size
    names = cells.repeat_interleave(12, 1).repeat_interleave(12, 2)
    sigma = torch.tensor([0.25, 1.0])
    transformer(torch.randn(2, 16, 2 * side, 2 * side), sigma, torch.randn(2, 5, 16), torch.randn(2, 16))
    answers = torch.randn(2, side * side, 4)
    recogniser.head = torch.nn.Sequential(Answering(answers))
    share = side // 4
    want = cells.repeat_interleave(share, 1).repeat_interleave(share, 2).flatten(1)
    log = answers.log_softmax(-1).gather(2, want[..., None].long())[..., 0]
    torch.testing.assert_close(recogniser.loss(names, side, sigma), 0.75 * -log[0].mean() / 2)
    with pytest.raises(IndexError):
        recogniser.loss(names, side, sigma)  # asked once of each call


class Answering(torch.nn.Module):
    """Whatever tokens it is given, the same logits."""

    def __init__(self, answers: torch.Tensor):
        super().__init__()
        self.answers = answers

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        assert tokens.shape[:2] == self.answers.shape[:2]
        return self.answers


def test_the_wish_to_recognise_reaches_early_blocks_and_no_export(work):
    shard, sides = some_shard(0), {}
    for recognition in (0.0, 0.5):
        budget = dataclasses.replace(TINY, recognition=recognition)
        training = Training(dataclasses.replace(work, budget=budget))
        training.advance(shard["levels"][0][:4].float(), shard["ids"][:4], 0, shard["names"][:4])
        training.advance(shard["levels"][0][:4].float(), shard["ids"][:4], 0, shard["names"][:4])
        sides[recognition] = training.model.transformer.img_in.weight.detach()
        assert not any("recogniser" in name or "head" in name for name in training.average.state_dict())
    assert (sides[0.0] - sides[0.5]).abs().max() > 1e-4


def test_a_run_writes_its_curve_its_checkpoint_and_its_export(work, tmp_path, monkeypatch):
    monkeypatch.setattr(fit_transformer, "KEEP_EVERY", 0.0)
    monkeypatch.setattr(fit_transformer, "EXPORT_EVERY", 0.0)
    save(work.file("autoencoder.pt"), {"model": TinyAutoencoder(TINY.autoencoder_shape).state_dict()})
    work = dataclasses.replace(work, export=tmp_path / "export")
    fit_transformer.fit_transformer(work)
    lines = [json.loads(line) for line in work.file("curve.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6, 6]
    assert {f"{size} {words}" for size in SIZES for words in ("whole", "open")} < set(lines[0])
    assert lines[-2] | {"seconds": 0} == lines[-1] | {"seconds": 0}, "held-out losses vary by weights alone"
    assert {file.name for file in (tmp_path / "export").iterdir()} == {
        "demo_transformer.safetensors",
        "demo_vae.safetensors",
        "demo_prompt.safetensors",
    }
    longer = dataclasses.replace(TINY, transformer=dataclasses.replace(TINY.transformer, steps=8))
    fit_transformer.fit_transformer(dataclasses.replace(work, budget=longer))
    lines = [json.loads(line) for line in work.file("curve.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines][7:] == [7, 8, 8]


def test_what_is_exported_draws_as_what_was_trained(work, tmp_path):
    training = Training(work)
    with torch.no_grad():
        for value in training.average.parameters():
            value.add_(0.05 * torch.randn_like(value))
    training.keep()
    save(work.file("autoencoder.pt"), {"model": TinyAutoencoder(TINY.autoencoder_shape).state_dict()})
    export(dataclasses.replace(work, export=tmp_path / "export"))
    demo = load_demo(tmp_path / "export")
    assert demo.vocabulary == WORDS
    ids = draw_ids(TINY, 2, 5)
    x, sigma = torch.randn(2, 16, 8, 8), torch.tensor([0.3, 0.8])
    with torch.no_grad():
        want = training.average(x, sigma, ids)
        got = demo.transformer(x, sigma, *demo.prompt(ids))
    torch.testing.assert_close(got, want, atol=0.02, rtol=0.02)


def test_held_out_loss_of_a_model_that_knows_is_zero(work):
    held_out = HeldOut(work, count=8)
    clean = {level.shape[-1]: level for level in held_out.levels}

    def knowing(x, sigma, ids):
        s = sigma[:, None, None, None]
        return (x - clean[x.shape[-1]]) / s

    assert max(held_out.losses(knowing).values()) < 1e-6
    blind = held_out.losses(lambda x, sigma, ids: torch.zeros_like(x))
    assert all(1.5 < value < 2.5 for value in blind.values()), "noise and latents have unit variance each"


def test_a_busy_or_waiting_machine_does_not_shorten_training_on_a_cpu(work):
    course = work.course(Stage(10, 1, (1, 1, 1), 1))
    start = course.elapsed()
    time.sleep(0.3)
    assert course.elapsed() - start < 0.15


def test_quick_attention_is_the_dense_one():
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 2, 11, 128) for _ in range(3))
    table = rotary(torch.randn(11, 3) * 5)
    torch.testing.assert_close(
        attend_quick(q, k, v, table), attend_dense(q, k, v, table), atol=1e-5, rtol=1e-4
    )


def test_noise_levels_follow_their_centre():
    random = torch.Generator().manual_seed(0)
    high, low = (draw_sigma(4000, random, centre).median() for centre in (1.5, -1.5))
    assert high > 0.7 and low < 0.3


def test_a_flow_is_followed_over_any_sigmas():
    goal = torch.randn(2, 16, 4, 4)

    def model(x, sigma, ids):
        return (x - goal) / sigma[:, None, None, None]

    noise, ids = torch.randn(2, 16, 4, 4), torch.zeros(2, WORDS.columns, dtype=torch.int64)
    got = follow_flow(model, noise, ids, torch.tensor([1.0, 0.9, 0.3, 0.0]), 2.5)
    torch.testing.assert_close(got, goal, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", GROUND_KINDS)
def test_patterns_come_back_after_their_period(kind):
    axis = torch.arange(96.0)
    x, y = axis[None, :].expand(96, -1), axis[:, None].expand(-1, 96)
    light = pattern(kind, x, y, 24.0, (3.0, 5.0), 96)
    if kind in ("plain", "gradient"):
        torch.testing.assert_close(light, light[:, :1].expand_as(light), atol=1e-6, rtol=0)
        return
    diagonal = 24 * 2**0.5
    period = {
        "stripes": (24.0, 1.0),
        "dots": (24.0, 24.0),
        "waves": (48.0, 24.0),
        "checks": (diagonal, diagonal),
    }[kind]
    moved = pattern(kind, x + period[0], y + period[1], 24.0, (3.0, 5.0), 96)
    torch.testing.assert_close(moved, light, atol=1e-3, rtol=1e-3)
    assert light.max() > 0.9 and light.min() < -0.9


def test_grounds_of_a_prompt_differ_in_phase_pitch_and_angle():
    random = torch.Generator().manual_seed(0)
    one, two = (open_ground("stripes", torch.tensor([0.3, 0.5, 0.8]), 64, random) for _ in range(2))
    assert one.shape == (3, 64, 64) and one.min() > -0.05 and one.max() < 1.05
    assert (one - two).abs().mean() > 0.03


@pytest.fixture
def renderer(tmp_path, monkeypatch):
    """A renderer whose objects are all red squares."""
    square = np.zeros((64, 64, 4), np.uint8)
    square[8:56, 8:56] = (255, 0, 0, 255)
    Image.fromarray(square).save(tmp_path / "square.png")
    monkeypatch.setattr(open_render, "picture", lambda point: tmp_path / "square.png")
    return open_render.OpenRenderer(OPEN.points(), WORDS, OPEN.looks)


def test_objects_are_drawn_where_and_as_big_as_the_scene_says(renderer):
    areas = {}
    for size in WORDS.sizes:
        for place in WORDS.places:
            ids = scene_ids([parse(f"only a {size} cat {place} on plain blue", WORDS)], WORDS)
            (drawn,) = renderer.draw(ids, torch.Generator().manual_seed(3))
            assert drawn.shape == (3, 256, 256) and drawn.min() >= 0 and drawn.max() <= 1
            red = drawn[0] > 2 * drawn[2]
            y, x = (axis.double().mean() for axis in red.nonzero().unbind(1))
            row, column = divmod(WORDS.places.index(place), 3)
            assert abs(y - 256 * (0.18 + 0.32 * row)) < 40 and abs(x - 256 * (0.18 + 0.32 * column)) < 40
            areas.setdefault(size, []).append(float(red.sum()))
    assert np.mean(areas["small"]) * 1.5 < np.mean(areas["medium"]) < np.mean(areas["big"]) / 1.5


def test_names_lie_where_their_objects_are_drawn(renderer):
    ids = scene_ids([parse("only a big cat top left, a small robot right, on plain blue", WORDS)], WORDS)
    drawn, names = renderer.draw_with_names(ids, torch.Generator().manual_seed(3))
    assert torch.equal(drawn, renderer.draw(ids, torch.Generator().manual_seed(3)))
    assert names.shape == (1, NAMED_SIDE, NAMED_SIDE)
    cat, robot = (WORDS.objects.index(word) + 1 for word in ("cat", "robot"))
    assert set(names.unique().tolist()) == {0, cat, robot}
    centres = ((torch.arange(NAMED_SIDE) + 0.5) * 256 / NAMED_SIDE).long()
    red = (drawn[0, 0] > 2 * drawn[0, 2])[centres][:, centres]
    assert (red == (names[0] > 0)).float().mean() > 0.98
    assert (names[0, :24, :24] == cat).sum() > 100 and (names[0, 12:36, 32:] == robot).sum() > 20


def test_pictures_of_one_prompt_differ_by_turn_tint_light_and_shadow(renderer):
    ids = scene_ids([parse("only a big cat centre on plain grey", WORDS)], WORDS)
    random = torch.Generator().manual_seed(0)
    drawn = torch.cat([renderer.draw(ids, random) for _ in range(12)])
    red = (drawn[:, 0] > 2 * drawn[:, 1]).double()
    assert red.mean(0).max() > 0.99 and ((red.mean(0) > 0.1) & (red.mean(0) < 0.9)).sum() > 500, "turn, shift"
    corners = drawn[:, :, [0, 0, -1, -1], [0, -1, 0, -1]].mean(1)
    assert (corners.amax(1) - corners.amin(1)).max() > 0.05, "light falls from a side"
    assert corners.std(0).min() > 0.01, "exposure and tone"
    shadows = [(one[:, 30:226, 30:226].mean(0).min() / one.mean(0)[:8].mean()) for one in drawn]
    assert min(shadows) < 0.9


def test_every_random_scene_can_be_drawn(renderer):
    random = np.random.default_rng(0)
    ids = scene_ids([draw_scene(WORDS, random) for _ in range(12)], WORDS)
    drawn = renderer.draw(ids, torch.Generator().manual_seed(0))
    assert drawn.shape == (12, 3, 256, 256) and drawn.isfinite().all()
    assert (drawn.flatten(1).std(1) > 0.01).all()


@pytest.mark.skipif(not (FOLDER / TRANSFORMER).is_file(), reason="no demo weights in this tree")
def test_rescaled_channels_of_the_shipped_autoencoder_still_draw_its_pictures():
    torch.manual_seed(0)
    smooth = torch.rand(6, 3, 8, 8).repeat_interleave(8, 2).repeat_interleave(8, 3)
    source, model = load_demo().autoencoder, TinyAutoencoder(OPEN.autoencoder_shape)
    start_at_shipped_code(model, [smooth[:3], smooth[3:]], tilt=0.5)
    with torch.no_grad():
        latents = model.encode(smooth)
        deviations = latents.std((0, 2, 3))
        want, got = source.decode(source.encode(smooth)), model.decode(latents)
    assert deviations.square().mean().sqrt() == pytest.approx(1, abs=0.1)
    assert deviations.max() / deviations.min() > 1.5
    assert (got - want).abs().mean() < 0.1
    assert (FOLDER / VAE).is_file()


def test_training_goes_on_from_the_weights_for_short_prompts(tmp_path):
    short = FOLDERS["short"]
    work = lay_out_weights(Workplace(OPEN, tmp_path), short)
    demo, training = load_demo(short), Training(work)
    for name, value in demo.transformer.state_dict().items():
        assert torch.equal(training.model.transformer.state_dict()[name], value), name
    pictures = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(encoder(work).encode(pictures), demo.autoencoder.encode(pictures))
    assert work.budget.transformer.levels_first == OPEN.transformer.levels_last
