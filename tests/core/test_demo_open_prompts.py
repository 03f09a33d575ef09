"""Prompts of the demo model that leave words open: grammar, indices, leaving out, judging."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fresco_core.demo.classifier import Reading, SceneClassifier, fidelity, fidelity_marks
from fresco_core.demo.parsing import SceneError, parse
from fresco_core.demo.prompt import PromptEncoder
from fresco_core.demo.random_scenes import draw_scene
from fresco_core.demo.scene import Item, Scene, scene_ids, scenes_of
from fresco_core.demo.vocabulary import (
    OPEN_FAMILIES,
    SHIPPED_WORDS,
    SMALL_OBJECTS,
    Vocabulary,
    open_vocabulary,
)
from tools.demo.leaving_out import EMPTY_SHARE, leave_out

WORDS = open_vocabulary()


def some_ids(count: int, seed: int = 0) -> torch.Tensor:
    """Ids of random scenes."""
    random = np.random.default_rng(seed)
    return scene_ids([draw_scene(WORDS, random) for _ in range(count)], WORDS)


def test_vocabulary_has_many_kinds_all_those_of_the_shipped_one_and_survives_json():
    assert len(WORDS.objects) == len(set(WORDS.objects)) >= 60
    assert set(SMALL_OBJECTS) <= set(WORDS.objects)
    assert not set(WORDS.families) & set(WORDS.objects)
    assert Vocabulary.from_json(WORDS.to_json()) == WORDS


def test_vocabularies_stored_before_there_were_families_still_load():
    fields = json.loads(SHIPPED_WORDS.to_json())
    for name in ("families", "family_of", "slots", "picture_side"):
        del fields[name]
    old = Vocabulary.from_json(json.dumps(fields))
    assert old == SHIPPED_WORDS and not old.open
    assert (old.columns, old.tokens, old.picture_side) == (11, 5, 192)


def test_every_object_needs_a_family_or_none():
    with pytest.raises(ValueError, match="1 families for 2 objects"):
        Vocabulary(("cat", "dog"), families=("animal",), family_of=("animal",))


@given(st.integers(0, 2**32 - 1))
def test_whatever_is_left_of_a_prompt_is_read_back(seed):
    ids = leave_out(some_ids(1, seed), WORDS, torch.Generator().manual_seed(seed % 2**31))
    (scene,) = scenes_of(ids, WORDS)
    assert parse(scene.prompt(WORDS), WORDS) == scene


@given(st.integers(0, 2**32 - 1))
def test_random_scenes_have_one_to_five_objects_at_places_of_their_own(seed):
    scene = draw_scene(WORDS, np.random.default_rng(seed))
    assert 1 <= len(scene.items) == scene.count <= 5
    assert len({item.place for item in scene.items}) == len(scene.items)
    for one in scene.items:
        for two in scene.items:
            if one is not two and one.size == two.size == "big":
                a, b = WORDS.places.index(one.place), WORDS.places.index(two.place)
                assert abs(a // 3 - b // 3) + abs(a % 3 - b % 3) >= 2
    assert scenes_of(scene_ids([scene], WORDS), WORDS) == [scene]


def test_some_scenes_are_of_one_family_and_some_have_an_object_twice():
    random = np.random.default_rng(0)
    scenes = [draw_scene(WORDS, random) for _ in range(600)]
    scenes = [scene for scene in scenes if len(scene.items) > 2]
    family = dict(zip(WORDS.objects, WORDS.family_of, strict=True))
    alike = [len({family[item.name] for item in scene.items}) == 1 for scene in scenes]
    twice = [len({item.name for item in scene.items}) < len(scene.items) for scene in scenes]
    assert 0.2 < np.mean(alike) < 0.5
    assert 0.0 < np.mean(twice) < 0.25


OPEN = {"kind": "", "colour": ""}


@pytest.mark.parametrize(
    ("prompt", "scene"),
    [
        ("", Scene((), **OPEN)),
        ("a cat", Scene((Item("cat", "", ""),), **OPEN)),
        ("A medium fox left.", Scene((Item("fox", "left", "medium"),), **OPEN)),
        ("three fruits on stripes", Scene((Item("fruit", "", ""),) * 3, "stripes", "", 3)),
        ("two big strawberries", Scene((Item("strawberry", "", "big"),) * 2, **OPEN, count=2)),
        ("foxes and buses", Scene((Item("fox", "", ""), Item("bus", "", "")), **OPEN)),
        ("a big thing left on blue", Scene((Item("", "left", "big"),), "", "blue")),
        ("only a cat", Scene((Item("cat", "", ""),), **OPEN, count=1)),
        ("four things: a robot top", Scene((Item("robot", "top", ""),), **OPEN, count=4)),
        ("2 things on plain grey", Scene((), "plain", "grey", 2)),
        ("one thing", Scene((), **OPEN, count=1)),
        ("a thing", Scene((), **OPEN)),
        ("on a green ground", Scene((), "", "green")),
    ],
)
def test_few_words_are_enough(prompt, scene):
    assert parse(prompt, WORDS) == scene


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("six cats", "'six"),
        ("four cats, two dogs", "at most 5"),
        ("two things: a cat, a dog, a fox", "3 listed"),
        ("a cat left, a dog left", "Two objects at 'left'"),
        ("two cats left", "Two objects at 'left'"),
        ("a fruti", "'fruit'"),
        ("an ice cream on orange", "ground word 'orange'"),
    ],
)
def test_what_it_cannot_read_it_explains(prompt, said):
    with pytest.raises(SceneError) as caught:
        parse(prompt, WORDS)
    assert said in str(caught.value)


def test_leaving_out_nothing_and_everything():
    ids = some_ids(200)
    assert torch.equal(leave_out(ids, WORDS, torch.Generator().manual_seed(0), rate=0.0), ids)
    left = leave_out(ids, WORDS, torch.Generator().manual_seed(0), rate=1.0)
    names = left[:, :15:3]
    assert left.sum() == names.sum(), "only families may be left"
    family = [0, *(WORDS.families.index(f) + 1 + len(WORDS.objects) if f else 0 for f in WORDS.family_of)]
    right = torch.tensor(family)[ids[:, :15:3]]
    assert ((names == 0) | (names == right)).all()
    assert (names[right > 0] > 0).double().mean() == pytest.approx(0.5, abs=0.08)


def test_words_are_left_out_one_by_one_at_the_rate():
    ids = some_ids(2000)
    left = leave_out(ids, WORDS, torch.Generator().manual_seed(1), rate=0.3)
    for column in (1, 2, -3, -2, -1):
        had = ids[:, column] > 0
        assert (left[had, column] > 0).double().mean() == pytest.approx(0.7, abs=0.04)
    kept = left > 0
    both = (kept[:, -1] & kept[:, -2]).double().mean()
    assert both == pytest.approx(0.49, abs=0.04), "independent of each other"
    assert (left[:, -2:] == ids[:, -2:])[left[:, -2:] > 0].all()


def test_rates_vary_from_whole_to_empty_prompts():
    ids = some_ids(3000)
    left = leave_out(ids, WORDS, torch.Generator().manual_seed(2))
    said = (left > 0).sum(1) / (ids > 0).sum(1)
    assert (said == 0).double().mean() == pytest.approx(EMPTY_SHARE, abs=0.04)
    assert 0.13 < (left == ids).all(1).double().mean() < 0.3
    middle = ((said > 0.2) & (said < 0.8)).double().mean()
    assert 0.35 < middle < 0.6


def test_encoder_has_a_token_for_each_slot_the_ground_and_the_number():
    torch.manual_seed(0)
    encoder = PromptEncoder(WORDS, 24, 40)
    context, pooled = encoder.encode(["", "a cat", "only a cat", "three fruits on stripes"])
    assert context.shape == (4, 8, 24) and pooled.shape == (4, 40)
    changed = (context[1] != context[0]).any(-1)
    assert changed.sum() == 1, "a cat changes one slot"
    assert (context[2] != context[1]).any(-1).sum() == 1, "only: the number alone"
    with pytest.raises(ValueError, match="expected"):
        encoder(torch.zeros(1, 11, dtype=torch.int64))


def _showing(cells: dict[str, str], sizes: str, kind: str, colour: str) -> Reading:
    """A reading sure of objects at places, all of a size, on a ground."""
    objects = torch.zeros(1, 9, len(WORDS.objects) + 1)
    objects[..., 0] = 0.5
    for place, name in cells.items():
        objects[0, WORDS.places.index(place), WORDS.objects.index(name) + 1] = 1
    size = torch.zeros(1, 9, 4)
    size[..., WORDS.sizes.index(sizes) + 1] = 1
    kinds = torch.eye(len(WORDS.kinds))[[WORDS.kinds.index(kind)]]
    colours = torch.eye(len(WORDS.colours))[[WORDS.colours.index(colour)]]
    return Reading(objects, size, kinds, colours, torch.zeros(1, 1))


@pytest.mark.parametrize(
    ("prompt", "objects", "places", "spurious"),
    [
        ("", 0, 0, 0),
        ("a banana", 1, 0, 0),
        ("three fruits on red stripes", 2 / 3, 0, 0),
        ("a fruit left, an animal right", 1, 0.5, 0),
        ("only a fruit left", 1, 1, 2),
        ("a cat top, a banana", 0.5, 0, 0),
        ("two bananas", 0.5, 0, 1),
    ],
)
def test_pictures_are_judged_by_what_was_said_alone(prompt, objects, places, spurious):
    seen = _showing({"left": "banana", "centre": "dog", "top": "pear"}, "big", "stripes", "red")
    found = fidelity(seen, scene_ids([parse(prompt, WORDS)], WORDS), WORDS)
    assert found.objects == pytest.approx(objects)
    assert found.places == pytest.approx(places)
    assert found.spurious == spurious


def test_words_not_said_of_the_ground_and_sizes_do_not_count():
    seen = _showing({"left": "banana"}, "big", "stripes", "red")
    said = ("a small banana left on stripes", "a banana left")
    ids = scene_ids([parse(text, WORDS) for text in said], WORDS)
    both = Reading(*(torch.cat([getattr(seen, n)] * 2) for n in Reading.__dataclass_fields__))
    marks = {name: value.tolist() for name, value in fidelity_marks(both, ids, WORDS).items()}
    assert marks["sizeable"] == [1, 0] and marks["sized"] == [0, 0]
    assert marks["kinds_asked"] == [1, 0] and marks["kinds"] == [1, 0]
    assert marks["colours_asked"] == marks["colours"] == [0, 0]


def test_classifier_has_a_class_for_each_object_not_for_families():
    reading = SceneClassifier(WORDS)(torch.rand(1, 3, 256, 256))
    assert reading.objects.shape == (1, 9, sum(map(len, OPEN_FAMILIES.values())) + 1)
