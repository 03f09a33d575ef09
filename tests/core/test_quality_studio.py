"""The studio on the shipped weights: prompts, costs, sizes, quick products; what stored results survive."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

pytest.importorskip("PIL")
from PIL import Image

from benchmarks.quality.bar import draw_sheet
from benchmarks.quality.measure import Measures
from benchmarks.quality.pictures import Drawn, Studio
from benchmarks.quality.prompts import PROMPTS, held_out_scenes, said_of, weights_for
from benchmarks.quality.quick import ROWS
from benchmarks.quality.settings import Setting
from benchmarks.quality.store import Store, real_key
from fresco_core.demo.vocabulary import SHIPPED_WORDS, open_vocabulary
from fresco_core.demo.weights import FOLDER, FOLDERS, load_demo
from fresco_core.schedule.steps import Step

SHARD = slice(0, 1)


@pytest.fixture(scope="module")
def studio():
    return Studio(1, prompts="open")


def test_rivals_cost_what_they_evaluate_and_carry_over_pixels(studio):
    full, half, bridge = studio.step_flops(Step(0)), studio.step_flops(Step(1)), studio.bridge_flops(1, 0)
    assert half < full < 5 * half and bridge > 0
    for line, cost in (
        ("hires-fix 0.5 0.5", 2 * half + 2 * full + bridge),
        ("draft 1/2 x2; refine 0.7 via pixels x2", 2 * half + 2 * full + bridge),
        ("two-stage 0.75 0.9", 3 * half + full),
    ):
        drawn = studio.draw(Setting(line, 4), SHARD)
        assert drawn.flops == cost, line
        assert torch.isfinite(drawn.pictures).all() and len(drawn.pictures) == 1


def test_half_size_pictures_have_half_the_side_and_a_half_steps_cost(studio):
    setting = Setting("full", 2, size=1)
    drawn, side = studio.draw(setting, SHARD), studio.budget.looks.side
    assert drawn.pictures.shape == (1, 3, side // 2, side // 2)
    assert drawn.flops == 2 * studio.step_flops(Step(1)) and not setting.plain
    assert setting.key != Setting("full", 2).key and "pictures of 1/2 side" in setting.name


def test_looks_are_held_to_what_the_model_draws_well(studio):
    plan = studio.plan(Setting("draft ~1/4 50%; refine 50%", 8))
    assert [step.level for step in plan.passes[0].looks] == [2] * 4, "the model in the box draws at a quarter"
    assert studio.canvas.trained == ((48 // 8) ** 2, None)
    assert Studio(1, FOLDERS["short"], prompts="open").canvas.trained == ((128 // 8) ** 2, None)


def test_prompts_that_leave_much_open_are_measured_on_a_model_that_learnt_them():
    short = FOLDERS["short"]
    assert [weights_for(prompts) for prompts in PROMPTS] == [FOLDER, short, short]
    demo = load_demo(short)
    assert demo.vocabulary == open_vocabulary()
    assert 6e6 <= sum(p.numel() for p in demo.transformer.parameters()) <= 12e6
    assert sum(file.stat().st_size for file in short.glob("*.safetensors")) <= 40e6
    drawn = Studio(1, short, prompts="open").draw(Setting("full", 2), SHARD)
    assert drawn.pictures.shape == (1, 3, 256, 256) and torch.isfinite(drawn.pictures).all()


def test_quick_products_change_little(studio):
    quick = Studio(1, prompts="open", fast=True)
    ours, exact = (s.draw(Setting("full", 3), SHARD) for s in (quick, studio))
    error = (ours.pictures - exact.pictures).square().mean()
    assert 0 < float(error) < 1e-3, "30 dB"
    again = quick.draw(Setting("full", 3, exact=True), SHARD)
    torch.testing.assert_close(again.latents, exact.latents)


def test_a_compiled_network_sees_one_shape_for_each_size(monkeypatch):
    """However many pictures are drawn; what torch makes of it is torch's."""
    seen = []

    def compiled(forward, dynamic):
        assert dynamic is False
        return lambda *args: seen.append([tuple(arg.shape) for arg in args]) or forward(*args)

    monkeypatch.setattr(torch, "compile", compiled)
    setting, three, all_of_them = Setting("full", 1), slice(0, 3), slice(0, 9)
    quick, plain = (Studio(9, prompts="open", fast=True, compiled=c) for c in (True, False))
    assert [shapes[0][-1] for shapes in seen] == [24, 18, 12, 6], "made before any clock runs"
    some, every = (quick.draw(setting, shard).latents for shard in (three, all_of_them))
    drawn = seen[4:]
    assert len(drawn) == 2 * (1 + 2), "with and without the prompt, and once more for the clock"
    assert all(shapes == seen[0] for shapes in drawn) and all(shape[0] == ROWS for shape in seen[0])
    torch.testing.assert_close(some, plain.draw(setting, three).latents)
    torch.testing.assert_close(every[:3], some, atol=0.05, rtol=0.05)


@pytest.mark.parametrize("prompts", PROMPTS)
@pytest.mark.parametrize("vocabulary", (SHIPPED_WORDS, open_vocabulary()), ids=("closed", "open"))
def test_sheets_show_every_kind_of_prompts(tmp_path, prompts, vocabulary):
    """Pictures of a model that is stubbed: rows of 50, 6 and 4 steps, bands of eight."""
    studio = _Canned()
    studio.scenes = held_out_scenes(vocabulary, 12)
    studio.ids = said_of(studio.scenes, vocabulary, prompts)
    studio.demo = SimpleNamespace(vocabulary=vocabulary)
    draw_sheet(Store(tmp_path, studio, _Judge()), tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (8 * 8 + 7 * 4, 3 * 8 + 2 * 4), "whole bands"
    words = tmp_path / "sheet.txt"
    if vocabulary.open or prompts == "full":
        assert len(words.read_text("utf-8").split("\n")) == 8 + 1


class _Judge:
    """Sees nothing."""

    def marks(self, drawn, ids) -> Measures:
        return {"asked": np.ones(len(ids)), "picture": drawn.pictures.flatten(1).mean(1).numpy()}

    def likeness(self, pictures, reference) -> Measures:
        assert pictures.shape == reference.shape
        return {"lpips": np.zeros(len(pictures))}

    def inception(self, pictures):
        return np.ones((len(pictures), 2))


class _Canned(Studio):
    def __init__(self):
        self.ids = self.scenes = torch.zeros(2, 11, dtype=torch.int64)
        self.drawn: list[str] = []

    def draw(self, setting, shard, trace=None):
        self.drawn.append(setting.name)
        side, count = 8 >> setting.size, shard.stop - shard.start
        return Drawn(torch.ones(count, 1, 2, 2), torch.full((count, 3, side, side), 0.5), flops=7.0)

    def real(self, shard, size=0):
        self.drawn.append(f"real {size}")
        return Drawn(torch.ones(2, 1, 2, 2), torch.full((2, 3, 8 >> size, 8 >> size), 0.25))


def test_real_pictures_are_measured_once_for_all_weights_and_half_sizes_against_their_own(tmp_path):
    studio, shard = _Canned(), slice(0, 2)
    for weights in ("one", "two"):
        store = Store(tmp_path / weights, studio, _Judge(), tmp_path / "real")
        for size in (0, 1, 0):
            store.measure_real(shard, inception=True, size=size)
        store.measure(Setting("full", 3, size=1), shard, inception=False)
        assert store.read(Setting("full", 3, size=1).key)["flops"].tolist() == [7.0, 7.0]
        np.testing.assert_allclose(store.read(real_key(1))["picture"], 0.25)
    assert [name for name in studio.drawn if name.startswith("real")] == ["real 0", "real 1"]
    assert studio.drawn.count("50 steps | full") == 2, "the reference, once for each of the weights"


def test_pictures_of_the_reference_are_kept_and_others_drawn_again(tmp_path):
    studio = _Canned()
    store = Store(tmp_path, studio, _Judge())
    for _ in range(2):
        assert store.pictures(Setting("full", 50), 1).shape == (1, 3, 8, 8)
    assert studio.drawn == ["50 steps | full"]
    store.pictures(Setting("full", 4), 2)
    assert studio.drawn[1:] == ["4 steps | full"]
