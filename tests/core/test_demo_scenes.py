"""The scene grammar of the demo model."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fresco_core.demo.parsing import SceneError, parse
from fresco_core.demo.random_scenes import draw_scene
from fresco_core.demo.scene import Item, Scene, scene_ids
from fresco_core.demo.scenes import ID_COLUMNS
from fresco_core.demo.vocabulary import SMALL_OBJECTS, Vocabulary

WORDS = Vocabulary(tuple(SMALL_OBJECTS))


@given(st.integers(0, 2**32 - 1))
def test_every_drawn_scene_is_read_back_from_its_prompt(seed):
    scene = draw_scene(WORDS, np.random.default_rng(seed))
    assert parse(scene.prompt(), WORDS) == scene
    assert 1 <= len(scene.items) <= 3
    assert len({item.place for item in scene.items}) == len(scene.items)


def test_a_whole_prompt():
    scene = parse("a red apple top left, a guitar bottom right, on green checks", WORDS)
    assert scene == Scene((Item("red apple", "top left"), Item("guitar", "bottom right")), "checks", "green")
    assert scene.prompt() == "a red apple top left, a guitar bottom right, on green checks"


@pytest.mark.parametrize(
    ("prompt", "scene"),
    [
        ("The BIG robot at the center", Scene((Item("robot", "centre", "big"),))),
        ("cat, frog", Scene((Item("cat", "centre"), Item("frog", "left")))),
        ("frog centre, cat", Scene((Item("frog", "centre"), Item("cat", "left")))),
        ("a star left top on a gray gradient.", Scene((Item("star", "top left"),), "gradient", "grey")),
        (
            "a cat left and a crown right on a blue background",
            Scene((Item("cat", "left"), Item("crown", "right")), "plain", "blue"),
        ),
        ("on waves", Scene((), "waves", "grey")),
        ("on red dots", Scene((), "dots", "red")),
    ],
)
def test_free_wording(prompt, scene):
    assert parse(prompt, WORDS) == scene


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("a red aple top left", "'red apple'"),
        ("a gitar", "'guitar'"),
        ("a cat tpo left", "'top left'"),
        ("a cat on grene checks", "'green'"),
        ("a cat left, a frog left", "Two objects at 'left'"),
        ("cat, frog, star, robot", "at most 3"),
        ("a zzzz", "Known: 'red apple'"),
    ],
)
def test_what_it_cannot_read_it_explains(prompt, said):
    with pytest.raises(SceneError) as caught:
        parse(prompt, WORDS)
    assert said in str(caught.value)


def test_ids_name_words_from_one_and_leave_absent_ones_zero():
    ids = scene_ids([parse("a small banana right, on yellow stripes", WORDS), Scene(())], WORDS)
    assert ids.shape == (2, ID_COLUMNS)
    assert ids[0].tolist() == [2, 6, 1, 0, 0, 0, 0, 0, 0, 4, 2]
    assert ids[1, :9].eq(0).all()
    assert ids.dtype == torch.int64


def test_big_objects_keep_their_distance():
    random = np.random.default_rng(0)
    for _ in range(300):
        items = draw_scene(WORDS, random).items
        for one in items:
            for two in items:
                a, b = WORDS.places.index(one.place), WORDS.places.index(two.place)
                if one is not two and "big" in (one.size, two.size):
                    assert max(abs(a // 3 - b // 3), abs(a % 3 - b % 3)) == 2


def test_vocabulary_survives_json():
    assert Vocabulary.from_json(WORDS.to_json()) == WORDS
