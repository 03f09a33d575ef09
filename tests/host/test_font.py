"""Words that are drawn into pictures, in whatever letters a font of the system has. Boxes stand for letters
that a font lacks: as boxes, words of one length are one picture."""

import folder_paths
import pytest
import torch
from PIL import Image, ImageFont

PAIRS = [("人像", "写实"), ("プレーン", "ポートレ"), ("Gemälde", "Gemölde"), ("портрет", "картина")]


@pytest.fixture(autouse=True)
def font(tmp_path, monkeypatch):
    """The module, without what it found before; and a temporary folder for the host."""
    from fresco_pack.nodes.view import font

    monkeypatch.setattr(folder_paths, "temp_directory", str(tmp_path))
    font._best.cache_clear()
    yield font
    font._best.cache_clear()


@pytest.fixture
def installed(font):
    letters = {letter for pair in PAIRS for letter in "".join(pair)}
    if all(font._lacking(found, letters) for found in font._installed()):
        pytest.skip("no font of this system has all of these letters")


@pytest.fixture
def none_installed(font, monkeypatch):
    monkeypatch.setattr(font, "_installed", tuple)


def captioned(words):
    """The strip below a picture."""
    from fresco_pack.nodes.view.legend import with_legends

    return with_legends([torch.zeros(1, 8, 300, 3)], [words], [(0.0, "0"), (1.0, "1")])[0, 8:]


def benched(name):
    """The pictures and the plot of Fresco Bench with one preset."""
    from fresco_pack.fresco_core.bench import Bench, Setting, Trial, recommend
    from fresco_pack.nodes.bench import FrescoBench

    def trial(name, steps, schedule=None):
        return Trial(Setting(name, steps, schedule), (float(steps), steps + 0.1), (30.0, 30.5), (0.9, 0.9))

    found = trial("plain", 20), (trial("plain", 10),), (trial(name, 12, "draft 1/2 50%; refine 50%"),)
    bench = Bench(*found, (1, 2))
    pictures = {t.setting.label: [Image.new("RGB", (32, 32))] * 2 for t in bench.trials}
    return FrescoBench.told(bench, recommend(bench), pictures).args[:2]


@pytest.mark.parametrize("one,other", PAIRS)
def test_words_in_other_letters_are_no_boxes(installed, one, other):
    assert captioned(one).shape == captioned(other).shape == captioned("portrait").shape
    assert not torch.equal(captioned(one), captioned(other))
    for picture, another in zip(benched(one), benched(other)):
        assert picture.shape == another.shape and not torch.equal(picture, another)


@pytest.mark.parametrize("one,other", [("人像", "写实"), ("портрет", "картина")])
def test_without_such_a_font_they_are_boxes_and_nothing_fails(none_installed, one, other):
    assert torch.equal(captioned(one), captioned(other)) and captioned(one).std() > 0.1
    assert all(torch.equal(*pair) for pair in zip(benched(one), benched(other)))


def test_the_font_lacks_the_fewest_letters_and_is_pillows_own_where_it_lacks_none_more(font, installed):
    own = ImageFont.load_default(18).getname()
    for words in ("Fresco, 1/2: 40 % (a_b)\n\t\ud800", "", "\U0010fffd"):
        assert font.font_for(words, 18).getname() == own
    found = font.font_for("人像 \U0010fffd", 18)
    assert found.getname() != own and found.size == 18
