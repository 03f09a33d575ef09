"""Every sentence that Python can say to a node is translated: none is missing among the examples, which
tests/web/told.test.mjs holds against the translations, and what is really said is whole in them."""

from random import Random

import pytest
import random_schedules
import said
import test_bench_verdict
from translations import translations

from fresco_core import ScheduleError, flow_sigmas, make_plan, parse
from fresco_core.bench import recommend
from fresco_core.cost.plan_cost import plan_cost
from fresco_core.cost.registry import MODELS
from fresco_core.text.in_words import plan_in_words, plan_sentence
from fresco_core.text.presets import preset, schedule_in
from fresco_core.view.editing import move_boundary, set_level, set_start

NOT_SAID_IN = {
    "fresco_core/__main__.py": "the command line's",
    "fresco_core/demo/": "the command line's and the loader's, whose errors the host shows",
    "fresco_core/bench/grid.py": "drawn into a picture",
    "fresco_core/bench/plot.py": "drawn into a picture",
    "fresco_core/schedule/looks.py": "schedules in their own words",
    "fresco_core/text/preset_lines.py": "schedules in their own words",
    "nodes/engine/experts.py": "errors that end the run in the host's dialog",
    "nodes/families/family.py": "how conditionings are taken along",
    "nodes/inputs.py": "tooltips and search words",
    "nodes/view/font.py": "files of fonts",
}
NOT_SAID = {
    "against plain at the same seconds": "a column of the table as text",
    "no evaluation recorded": "of trace_in_words, for the log and the history",
    " with {} of the frames": "of trace_in_words",
    "{} evaluations ({}), {} image tokens instead of {} ({}x fewer)": "of trace_in_words",
    ", {} s over pixels": "of trace_in_words",
    ", {} instead of {} ({}x less": "of trace_in_words",
    "; {}x less than {} full steps": "of trace_in_words",
    "The steps that you use: what plain and the presets are given.": "a tooltip",
    "The sampling algorithm.": "a tooltip",
    "How the steps are spread over the noise levels.": "a tooltip",
    "Fresco Convergence: connect image, or samples and vae, for overlays": "in the host's dialog",
    "Fresco Schedule: connect a model to get SIGMAS": "in the host's dialog",
    "out of memory": "what the host says",
    "from text": "a choice of an input",
    "from numbers": "a choice of an input",
    "converged below tau": "a choice of an input",
    "refined at the step": "a choice of an input",
    "change at the step": "a choice of an input",
    "refined at step (grey: never)": "drawn into a picture",
    "step {}   sigma {}   level {}": "drawn into a picture",
    "1 (sigma {})": "drawn into a picture",
    "{} (sigma {})": "drawn into a picture",
    "{} are read at the most": "of the file of kept presets, in the log",
    'expected {"schedule": "...", "model": "...", "note": "..."}': "of the file of kept presets, in the log",
    "model and note are texts": "of the file of kept presets, in the log",
    "0.0.0 (no comfyui_version module)": "the host's version",
    "{}{}_{}.png": "a file's name",
}


def excused(template: said.Template) -> bool:
    """Whether no node ever shows a text, as listed here."""
    return template.text in NOT_SAID or template.place.startswith(tuple(NOT_SAID_IN))


def missing(templates: list[said.Template]) -> list[str]:
    """Places and texts that no example has."""
    examples = said.examples()
    return [
        f"{template.place}: {template.text!r}"
        for template in templates
        if not excused(template) and not any(template.within(line) for line in examples)
    ]


def test_every_sentence_has_an_example():
    found = said.templates()
    assert len(found) > 300, "they are read at all"
    assert missing(found) == [], f"add an example of each to {said.SENTENCES.name}, and translate it"


def test_no_excuse_is_left_over():
    found = said.templates()
    assert set(NOT_SAID) - {template.text for template in found} == set()
    assert [name for name in NOT_SAID_IN if not any(t.place.startswith(name) for t in found)] == []


@pytest.mark.parametrize(
    "source",
    [
        'def why(n):\n    return f"the moon has {n} sides"',
        'WHY = {1: "the moon is full"}',
        'def why(n):\n    raise ScheduleError("the moon is full")',
        'tell(f"{a}: {\'the moon is full\' if b else c}")',
        'words += ", and the moon is full"',
    ],
)
def test_a_new_sentence_is_found(source):
    found = [said.Template(text, "nodes/new.py:1") for _, text in said.templates_in(source)]
    assert [text for text in missing(found) if "the moon" in text] != []


@pytest.mark.parametrize(
    "source",
    [
        'def why(n):\n    """The moon is full."""',
        'log.warning("the moon has %d sides", 2)',
        'io.Int.Input("n", tooltip="the moon is full")',
        'raise ValueError(f"the moon has {n} sides")',
        'NAMES = "noise latent_image sigmas".split()',
    ],
)
def test_what_no_node_shows_is_none(source):
    assert said.templates_in(source) == []


def whole(texts: dict[str, None]) -> None:
    """Assert that texts are translated, all of each, and say something else than before."""
    for language, found in translations([*texts]).items():
        left = [text for text, other in zip(texts, found) if other is None]
        assert left == [], f"{language} of {len(texts)}"


def test_what_schedules_and_plans_say_is_translated():
    r, found = Random(3), dict.fromkeys(WRONG)
    for text in WRONG:
        with pytest.raises(ScheduleError) as error:
            schedule_in(text)
        found[str(error.value)] = None
    for text in WRONG:
        del found[text]
    for _ in range(700):
        try:
            schedule = schedule_in(random_schedules.text(r))
        except ScheduleError as error:
            found[str(error)] = None
            schedule = preset(r.choice(["balanced", "fast", "spectral", "progressive"]))
        found |= planned(r, schedule)
    assert len(found) > 800
    whole(found)


def planned(r: Random, schedule) -> dict[str, None]:
    """What is said of a schedule in a run of any kind, and of an edit of it."""
    model, steps = r.choice([*MODELS.values()]), r.choice([1, 2, 4, 8, 20])
    canvas = model.canvas(r.choice([64, 512, 1024]), r.choice([64, 512, 1536]))
    shift, scale = r.choice([(0.0, 1.0), (0.0, 1.0), (0.3, 0.6), (0.3, 0.7), (0.0, 0.5)])
    sigmas = [shift + scale * sigma for sigma in flow_sigmas(steps)]
    try:
        plan = make_plan(
            schedule,
            sigmas,
            canvas,
            sigma_max=1.0,
            coarsest=r.choice([3, 3, 1, 0]),
            pass_steps=r.choice([1, 2]),
            autoencoder=r.random() < 0.5,
        )
    except ScheduleError as error:
        return {str(error): None}
    cost = plan_cost(plan, model.architecture, bridge=r.choice([0, None, 10**12]))
    said_of_it = [plan_sentence(plan), plan_in_words(plan), cost.describe(r.choice([0, 40])), plan.reason]
    edits = (
        lambda: move_boundary(plan, r.randrange(4), r.randrange(20)),
        lambda: set_level(schedule, r.randrange(6), 2),
        lambda: set_start(schedule, r.randrange(4), 0.5),
    )
    try:
        r.choice(edits)()
    except ScheduleError as error:
        said_of_it.append(str(error))
    return dict.fromkeys(filter(None, said_of_it))


WRONG = (
    "",
    "x" * 3000,
    "draft 1/2; draft",
    "refine 0.9",
    "draft; refine via",
    "draft; refine keep",
    "draft 1/2 refine",
    "1/2 to x3",
    "draft;; refine",
    "draft; 1/2",
    "draft; , full",
    "1/2,, full",
    "1/2 until, full",
    "1/2 half frames",
    "1/2 8",
    "1/2 x3 40%",
    "0.5",
    "~",
    "full, ~spectral",
    "mixed",
    "1/3",
    "½",
    "1/2 -3",
    "1/2 ×8",
    "1\\2",
    "1/2 x",
    "auto",
    "mixed 50% edge, full",
    "balanced x3",
    "draf",
    "qqqq",
    "1/2 x12345678901",
    "refine 0,9",
    "full, 1/2",
    "mixed 90%..10%, full",
    "1/2 x0, full",
    "1/2 150%, full",
    "1/2 until 0.5 ",
    "draft; refine 0.5; refine 0.9",
    "1/2 50%, full 20%",
    "mixed 50% low 40%, mixed 20% high, full",
    "draft; refine half frames",
    "draft; refine 0.9 to 0.5",
)


def test_what_a_bench_says_is_translated():
    r, found = Random(4), {}
    to = "'to' needs a sigma or 'refine', for example 'to 0.1'"
    notes = ("runs plain: nothing is coarse", f"not run: 'draft': {to}")
    for _ in range(150):
        names = r.sample(["balanced", "draft 1/2 50%; refine"], r.randint(0, 2))
        presets = [(name, r.uniform(4, 21), r.uniform(15, 45)) for name in names]
        own = test_bench_verdict.bench(*presets, seeds=r.choice([1, 2, 4]))
        if r.random() < 0.3:
            idle = test_bench_verdict.trial("fast", 20, 9.0, 30.0, "full", r.choice(notes))
            own = test_bench_verdict.Bench(
                own.reference, own.fewer, (*own.presets, idle), own.seeds, own.model, own.size, own.device
            )
        told = recommend(own, r.choice([20.0, 30.0, 50.0]))
        found |= dict.fromkeys([told.words, *(verdict.words for verdict in told.verdicts)])
    assert len(found) > 150
    whole(found)


def test_numbers_and_what_the_user_wrote_come_through():
    quote = "draf 1/2, 'equal, 8 s' 12.5 s"
    with pytest.raises(ScheduleError) as error:
        parse(quote)
    for found in translations([str(error.value), "8.74 s for 20 steps"]).values():
        assert quote in found[0] and "draf'" in found[0]
        assert "8.74" in found[1] and "20" in found[1] and "8.74 s" not in found[1]
