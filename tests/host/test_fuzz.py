"""The fuzzer with a small budget, and that it finds what it is for."""

from dataclasses import replace

import fuzz
import pytest
from fuzz_cases import Case
from fuzz_judge import judge

SEED, COUNT = 12, 10
FAST = ("flux", "qwen_image", "wan", "lumina2", "sd3", "chroma", "sd15", "demo")
PLAIN = Case(
    seed=0,
    number=7,
    family="flux",
    size=(16, 16),
    frames=1,
    batch=1,
    dtype="float32",
    any_size=True,
    text="draft 1/2 x3; refine 0.8 x3",
    sampler="euler",
    scheduler="simple",
    steps=6,
    sigmas=None,
    denoise=1.0,
    begin=None,
    end=None,
    leftover=True,
    noisy=True,
    source="empty",
    mask=None,
    cfg=1.0,
    cache=None,
    stop=None,
)
STAGE = replace(PLAIN, steps=12, end=4, text="1/4 75%, full 25%")
LOW = replace(PLAIN, denoise=0.6, source="detailed", text="1/2 x3, full x3")
TRAINED = replace(LOW, family="demo", size=(24, 24), steps=20, denoise=0.5, source="picture")


FOUND = {  # by the fuzzer, once
    "a sampler that writes into its sigmas": replace(
        PLAIN,
        family="qwen_image",
        size=(24, 16),
        text="draft ~1/4 70%; refine 30% min x3",
        sampler="uni_pc",
        scheduler="karras",
        steps=12,
        mask="zeros",
    ),
    "no noise of its own, and a soft mask that keeps what the latent holds": replace(
        PLAIN,
        number=1414,
        family="sd3",
        size=(10, 14),
        batch=2,
        text="~1/4, 1/2, full 48%",
        sampler="seeds_3",
        scheduler="linear_quadratic",
        begin=3,
        end=6,
        noisy=False,
        source="detailed",
        mask="soft",
    ),
}


@pytest.mark.parametrize("case,outcome", [*zip(FOUND.values(), ("right", "plain"))], ids=FOUND)
def test_what_was_found_once_stays_right(case, outcome):
    verdict = judge(case)
    assert verdict.failures == [] and verdict.outcome == outcome


def test_a_small_budget_finds_nothing():
    ended, failures = fuzz.fuzz(SEED, COUNT, minutes=10.0, families=FAST)
    assert not failures, "\n".join(failures)
    assert sum(ended.values()) == COUNT and ended["right"] >= COUNT // 4


def test_a_case_is_the_same_alone():
    drawn = [case for case, _ in zip(fuzz.cases(SEED), range(8))]
    assert len({str(case) for case in drawn}) == 8
    assert next(fuzz.cases(SEED, first=drawn[5].number)) == drawn[5]


def hide_detail(monkeypatch, engine):
    from fresco_pack.fresco_core.schedule import planning

    monkeypatch.setattr(engine.planning, "coarsest_start", lambda *_: 3)
    monkeypatch.setattr(planning, "starts_low", lambda *_: False)


def leave_the_stage(monkeypatch, engine):
    make_plan = engine.planning.make_plan

    def to_the_end(schedule, sigmas, *rest):
        return make_plan(schedule, [*sigmas[:-1], 0.5 * float(sigmas[-1])], *rest)

    monkeypatch.setattr(engine.planning, "make_plan", to_the_end)


def end_coarse(monkeypatch, engine):
    from fresco_pack.fresco_core import Step

    make_plan = engine.planning.make_plan

    def coarse(*given):
        plan = make_plan(*given)
        passes = [replace(p, looks=(Step(1),) * p.steps) for p in plan.passes]
        return replace(plan, passes=tuple(passes))

    monkeypatch.setattr(engine.planning, "make_plan", coarse)


def tell_too_little(monkeypatch, engine):
    choose = engine.run.Run.choose_look

    def finer(self, *given):
        choose(self, *given)
        self.view.look = self.course.look_full()

    monkeypatch.setattr(engine.run.Run, "choose_look", finer)


def stay_on_the_model(monkeypatch, engine):
    begin = engine.run.Run.begin_pass

    def leave(self, *given):
        begin(self, *given)
        monkeypatch.setattr(self.target.model, "fresco", self, raising=False)

    monkeypatch.setattr(engine.run.Run, "begin_pass", leave)


def remember(monkeypatch, engine):
    begin, seen = engine.run.Course.begin_pass, []

    def shift(self, index, picture, full_below):
        seen.append(self)
        return begin(self, index, picture, self.plan.passes[0].sigmas[0] * (len(seen) > 1))

    monkeypatch.setattr(engine.run.Course, "begin_pass", shift)


def raise_late(monkeypatch, engine):
    def fail(*_):
        raise KeyError("words")

    monkeypatch.setattr(engine.run.Run, "record", fail)


FAULTS = {
    "detail hidden": (hide_detail, LOW, "over detail of"),
    "a picture worse than plain steps": (hide_detail, replace(TRAINED, text="1/2 50%, full"), "dB to plain"),
    "an end outside the stage": (leave_the_stage, STAGE, "outside"),
    "a coarse end": (end_coarse, PLAIN, "ends with"),
    "costs": (tell_too_little, replace(PLAIN, text="1/2 x3, full x3"), "the plan tells"),
    "state": (stay_on_the_model, PLAIN, "state of"),
    "a run that is another": (remember, replace(PLAIN, text="1/2 x3, full x3"), "twice differs"),
    "a late error": (raise_late, PLAIN, "raises KeyError"),
}


@pytest.mark.parametrize("fault,case,words", FAULTS.values(), ids=FAULTS)
def test_faults_are_found(monkeypatch, fault, case, words):
    from fresco_pack.nodes import engine

    assert judge(case).failures == []
    fault(monkeypatch, engine)
    assert words in " ".join(judge(case).failures)
