"""The engine by itself: which looks it chooses, whatever a model would predict."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fresco_core import (
    FLOW,
    ORDERS,
    VE,
    Canvas,
    Course,
    DenseLook,
    MixedLook,
    expand,
    flow_sigmas,
    hashed_noise,
    make_plan,
    parse,
    recompose,
    sample,
)
from fresco_core.canvas.noise_level import over_batch

CANVAS = Canvas(32, 32)
CLEAN = [
    "1/4 30%, 1/2 40%, full",
    "1/2 until 0.7, full",
    "draft 1/4, 1/2; refine 0.9 1/2, full",
    "draft 1/2; refine 0.9 1/4, 1/2, full",
    "draft full; refine 0.95 1/2, full",
    "spectral 80%, full",
    "draft spectral 0.1; refine 0.9 spectral 1/2 0.05, full",
    "1/2, mixed 25%..75%, full",
    "1/2 until 0.8, mixed 10%..90% low until 0.3, full",
    "draft 1/2, mixed 30%; refine 0.9 mixed 25%..75%, full",
    "draft mixed 50%; refine 0.9 1/2, mixed 50%, full",
    "draft 1/8; refine 0.9 1/4; refine 0.8 mixed 50%, full",
]
STAGES = [
    "1/2",
    "1/8, 1/4, 1/2",
    "1/4 until 0.95, 1/2 until 0.8, full",
    "1/2, mixed 25%..75%",
    "mixed 20%..80%, full",
    "spectral",
    "spectral 1/2 0.2",
    "draft 1/4 50%; refine 50%",
]
seeds = st.integers(0, 2**31)
steps = st.integers(8, 24)
parameterisations = st.sampled_from([FLOW, VE])


def grid(count, parameterisation):
    """The sigmas of a run from pure noise to a clean picture."""
    if parameterisation is FLOW:
        return flow_sigmas(count, 2.0)
    return [14.6 * 0.002 ** (step / (count - 1)) for step in range(count)] + [0.0]


def plan_of(text, count, parameterisation=FLOW):
    return make_plan(parse(text), grid(count, parameterisation), CANVAS, parameterisation)


def stage_of(text, count, end, parameterisation):
    """The plan of a run of `count` steps of which only those down to `end` steps before its last are made."""
    sigmas = grid(count, parameterisation)
    return make_plan(parse(text), sigmas[:-end], CANVAS, parameterisation, sigmas[0])


class Invented:
    """Predictions of no model: pictures (batch, 2, 32, 32), each with band powers of its own."""

    def __init__(self, seed, batch=1):
        self._generator = torch.Generator().manual_seed(seed)
        self._batch = batch

    def __call__(self):
        out = torch.zeros(self._batch, 2, 32, 32)
        for level in range(5):
            strength = 10.0 ** (3.0 * float(torch.rand((), generator=self._generator)) - 2.0)
            drawn = torch.randn(self._batch, 2, 32 >> level, 32 >> level, generator=self._generator)
            out += strength * expand(drawn, level)
        return out


def moments(planned, seed):
    """Sigmas that a sampler may evaluate at in a pass, falling: the grid's, and some between them."""
    generator = torch.Generator().manual_seed(seed)
    for sigma, after in zip(planned.sigmas, planned.sigmas[1:]):
        yield sigma
        if after > 0.0 and torch.rand((), generator=generator) < 0.4:
            yield float(sigma + (after - sigma) * torch.rand((), generator=generator))


def led(course, seed, batch=1):
    """Leads a run; yields (pass, sigma, look) before each of its evaluations is observed."""
    predict = Invented(seed, batch)
    picture = torch.zeros(batch, 2, 32, 32)
    for index, planned in enumerate(course.plan.passes):
        course.begin_pass(index, picture)
        for sigma in moments(planned, seed):
            yield index, sigma, course.next_look(torch.tensor(sigma))
            picture = predict()
            course.observe(picture)


def tokens(look):
    return look.layout.tokens if isinstance(look, MixedLook) else CANVAS.tokens(look.level)


def alike(a, b):
    if isinstance(a, MixedLook) and isinstance(b, MixedLook):
        return a.level == b.level and torch.equal(a.layout.mask, b.layout.mask)
    return a == b


def described(look):
    """A look as a value: its level, and which blocks are fine."""
    return look.level, look.layout.mask.tolist() if isinstance(look, MixedLook) else None


@pytest.mark.parametrize("text", CLEAN)
@given(steps, seeds, parameterisations)
@settings(max_examples=6)
def test_within_a_pass_looks_only_become_finer(text, count, seed, parameterisation):
    plan = plan_of(text, count, parameterisation)
    before = None
    for index, _, look in led(Course(plan, 2, parameterisation), seed, 2):
        levels = plan.passes[index].levels
        assert list(levels) == sorted(levels, reverse=True), "as planned"
        if before is not None and before[0] == index:
            assert look.level <= before[1].level and tokens(look) >= tokens(before[1])
            if isinstance(look, MixedLook) and isinstance(before[1], MixedLook):
                assert (look.layout.mask | ~before[1].layout.mask).all(), "what is fine stays fine"
        before = index, look


@given(st.sampled_from(CLEAN + STAGES), steps, seeds, parameterisations)
@settings(max_examples=40)
def test_a_sigma_asked_for_twice_gets_the_same_look(text, count, seed, parameterisation):
    end = 1 if text in CLEAN else count // 2
    plan = stage_of(text, count, end, parameterisation) if end > 1 else plan_of(text, count, parameterisation)
    course = Course(plan, 1, parameterisation)
    for _, sigma, look in led(course, seed):
        for again in (torch.tensor(sigma), torch.tensor([sigma])):
            assert alike(course.next_look(again), look)
        assert course.look == look or alike(course.look, look)


@given(st.sampled_from(CLEAN), steps, seeds, st.integers(0, 7))
@settings(max_examples=30)
def test_after_a_dense_look_is_refused_all_are_full(text, count, seed, place):
    course, refused = Course(plan_of(text, count), 1), False
    for evaluation, (_, sigma, look) in enumerate(led(course, seed)):
        if refused:
            assert look == DenseLook(0)
        elif evaluation >= place and isinstance(look, DenseLook):
            course.refuse()
            refused = True
            assert course.next_look(torch.tensor(sigma)) == DenseLook(0)
    assert refused


@given(st.sampled_from([text for text in CLEAN if "mixed" in text]), steps, seeds)
@settings(max_examples=20)
def test_after_a_mixed_look_is_refused_none_comes_again(text, count, seed):
    course, refused = Course(plan_of(text, count), 1), False
    for _, sigma, look in led(course, seed):
        assert not (refused and isinstance(look, MixedLook))
        if isinstance(look, MixedLook):
            course.refuse()
            refused = True
            assert course.next_look(torch.tensor(sigma)) == DenseLook(0)


def test_dense_looks_go_on_after_a_mixed_one_is_refused():
    course = Course(plan_of("draft mixed 50% x3; refine 0.9 1/2 x3, mixed 50% x2, full x1", 9), 1)
    flat, found = torch.ones(1, 2, 32, 32), []
    for index, planned in enumerate(course.plan.passes):
        course.begin_pass(index, flat)
        for sigma in map(torch.tensor, planned.sigmas[:-1]):
            if isinstance(course.next_look(sigma), MixedLook):
                course.refuse()
            found.append(course.next_look(sigma))
            course.observe(flat)
    assert found == [DenseLook(level) for level in (0, 0, 0, 1, 1, 1, 0, 0, 0)]


@given(st.sampled_from(STAGES), steps, st.integers(1, 6), seeds, parameterisations)
@settings(max_examples=60)
def test_no_look_of_a_stage_asks_about_less_noise_than_its_end_has(text, count, end, seed, parameterisation):
    plan = stage_of(text, count, 1 + end, parameterisation)
    for index, sigma, look in led(Course(plan, 1, parameterisation), seed):
        least = plan.passes[index].least_sigma
        assert plan.plain or least == plan.passes[-1].sigmas[-1] > 0.0
        assert parameterisation.level_sigma(sigma, look.level) >= least * (1.0 - 1e-6)


LATER = [
    "1/2 x4, full x2",
    "1/4 x2, 1/2 x2, full x2",
    "spectral 1/2 x4, full x2",
    "mixed 25%..75% x4, full x2",
]


@pytest.mark.parametrize("later", LATER)
@given(seeds, st.floats(0.3, 0.9), st.floats(1.0, 10.0))
@settings(max_examples=8)
def test_a_later_pass_from_a_picture_with_fine_detail_is_full_and_says_so(later, seed, start, strength):
    plan = plan_of(f"draft 1/2 x3; refine {start:.3f} {later}", 9)
    detailed = strength * torch.randn(1, 2, 32, 32, generator=torch.Generator().manual_seed(seed))
    course = Course(plan, 1)
    words = course.begin_pass(1, detailed)
    assert words is not None and words.startswith("pass 2 starts at sigma ")
    assert "would lose detail that the picture already has" in words
    for sigma in moments(plan.passes[1], seed):
        assert course.next_look(torch.tensor(sigma)) == DenseLook(0)
        course.observe(detailed)


@pytest.mark.parametrize("later", LATER)
@given(seeds, st.floats(0.3, 0.9), st.floats(-10.0, 10.0))
@settings(max_examples=8)
def test_a_later_pass_from_a_flat_picture_is_as_planned(later, seed, start, value):
    plan = plan_of(f"draft 1/2 x3; refine {start:.3f} {later}", 9)
    planned, flat = plan.passes[1], torch.full((1, 2, 32, 32), value)
    course = Course(plan, 1)
    assert course.begin_pass(1, flat) is None
    for sigma in moments(planned, seed):
        look, step = course.next_look(torch.tensor(sigma)), planned.looks[planned.step_at(sigma)]
        assert look.level == step.level and tokens(look) == step.tokens(CANVAS)
        course.observe(flat)


@pytest.mark.parametrize(
    "later,mixed", [("mixed 25%..75% x4, full x2", 4), ("1/2 x2, mixed 50% x2, full x2", 0)]
)
def test_behind_a_mixed_pass_mixed_looks_go_on_where_nothing_coarser_comes_before_them(later, mixed):
    """What they see coarse, the draft has too; but a pass that begins finer than planned stays so."""
    plan = plan_of(f"draft mixed 50% x3; refine 0.8 {later}", 9)
    course = Course(plan, 1)
    detailed = torch.randn(1, 2, 32, 32, generator=torch.Generator().manual_seed(0))
    words = course.begin_pass(1, detailed)
    looks = [course.next_look(torch.tensor(sigma)) for sigma in plan.passes[1].sigmas[:-1]]
    assert [isinstance(look, MixedLook) for look in looks] == [True] * mixed + [False] * (6 - mixed)
    assert (words is None) == bool(mixed) and looks[mixed:] == [DenseLook(0)] * (6 - mixed)


def test_each_pass_chooses_its_fine_blocks_anew_by_what_is_known():
    plan = plan_of("draft 1/2 x3, mixed 50% x2; refine 0.9 mixed 50% x2, full x1", 8)
    course, picture, masks = Course(plan, 1), torch.zeros(1, 1, 32, 32), []
    for index, planned in enumerate(plan.passes):
        course.begin_pass(index, picture)
        for step, sigma in enumerate(map(torch.tensor, planned.sigmas[:-1])):
            look = course.next_look(sigma)
            masks += [look.layout.mask] if isinstance(look, MixedLook) else []
            moving = slice(0, 16) if index == 0 and step < 3 else slice(16, 32)
            picture = picture.clone()
            picture[..., moving] += 1.0
            course.observe(picture)
    assert masks[0][..., :4].all() and torch.equal(masks[1], masks[0]), "within a pass they stay"
    assert torch.equal(masks[2], ~masks[0]) and torch.equal(masks[3], masks[2])


def test_from_full_below_on_a_pass_has_its_last_look():
    """For samplers that leave their grid, from the value itself on."""
    plan = plan_of("1/4 x4, 1/2 x4, full x4", 12)
    (planned,) = plan.passes
    for step, sigma in enumerate(planned.sigmas[:-1]):
        for full_below in (0.0, planned.sigmas[6]):
            course = Course(plan, 1)
            course.begin_pass(0, full_below=full_below)
            last = sigma <= full_below
            assert course.next_look(torch.tensor(sigma)).level == (0 if last else planned.levels[step])


def test_a_look_that_must_be_full_changes_none_that_come():
    plan = plan_of("1/2 x4, full x4", 8)
    course = Course(plan, 1)
    course.begin_pass(0)
    for sigma, level in zip(plan.passes[0].sigmas, plan.passes[0].levels):
        assert course.look_full() == DenseLook(0) == course.look
        assert course.next_look(torch.tensor(sigma)).level == level == course.look.level


def test_the_schedules_order_comes_before_the_runs_own():
    variance = torch.full((1, 1, 8, 8), 1e-3)
    variance[..., :4] = 1e-5
    moving, still = expand(variance**0.5, 2), torch.rand(1, 1, 32, 32)

    def fine(words, order):
        course = Course(plan_of(f"1/2 x3, mixed 50%{words} x3, full x2", 8), 1, order=order)
        course.begin_pass(0)
        for step in range(3):
            course.observe(still + step * moving)
        return course.next_look(torch.tensor(course.planned.sigmas[3])).layout.mask

    settled_first = fine(" low", None)
    assert settled_first[..., :4].all() and torch.equal(fine("", None), ~settled_first)
    assert torch.equal(fine("", ORDERS["low"]), settled_first)
    assert torch.equal(fine(" high", ORDERS["low"]), ~settled_first)


def test_convergence_is_told_where_it_is_wanted_and_begins_anew_with_each_pass():
    plan = plan_of("draft 1/2 x2; refine 0.9 x2", 4)
    unwatched, watched = Course(plan, 1), Course(plan, 1, watched=True, block_level=3)
    for index in range(2):
        for course in (unwatched, watched):
            course.begin_pass(index, torch.zeros(1, 2, 32, 32))
            assert course.observe(torch.rand(1, 2, 32, 32)) is None
        assert unwatched.observe(torch.rand(1, 2, 32, 32)) is None
        assert watched.observe(torch.rand(1, 2, 32, 32)).shape == (1, 1, 4, 4)


class Recording:
    """A denoiser of whole and of mixed canvases that keeps what it was asked for."""

    own_clock = True

    def __init__(self, gain):
        self.asked = []
        self._gain = gain

    def __call__(self, x, sigma):
        self.asked.append(((32 // x.shape[-1]).bit_length() - 1, None))
        return self._predicted(x, sigma)

    def mixed(self, x, sigma, state, state_sigma, layout):
        self.asked.append((layout.level, layout.mask.tolist()))
        return self._predicted(x, sigma), self._predicted(state, state_sigma)

    def _predicted(self, x, sigma):
        return self._gain * torch.tanh(x) * (1.0 - 0.5 * over_batch(sigma, x).clamp(max=1.0))


@pytest.mark.parametrize("text", CLEAN)
@given(steps, seeds, st.floats(0.01, 2.0), parameterisations)
@settings(max_examples=4)
def test_sampling_asks_for_the_looks_of_a_course_that_sees_the_same(
    text, count, seed, gain, parameterisation
):
    plan = plan_of(text, count, parameterisation)
    denoise, pictures, predictions = Recording(gain), [torch.zeros(2, 2, 32, 32)], []

    def rewind(x0, *where):
        pictures.append(x0)
        return recompose(x0, *where)

    sample(
        denoise,
        hashed_noise(seed, (2, 2, 32, 32)),
        plan,
        parameterisation,
        callback=lambda step, x0, x: predictions.append(x0),
        rewind=rewind,
    )
    course, chosen, seen = Course(plan, 2, parameterisation), [], iter(predictions)
    for index, planned in enumerate(plan.passes):
        course.begin_pass(index, pictures[index])
        for sigma in planned.sigmas[:-1]:
            chosen.append(described(course.next_look(torch.tensor(sigma))))
            course.observe(next(seen))
    assert denoise.asked == chosen and len(chosen) == plan.steps
