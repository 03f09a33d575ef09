"""The live heatmap: the host's previews, drawn over; nothing else of the run changes."""

import comfy.model_management
import latent_preview
import numpy as np
import pytest
import tiny
import torch
from PIL import Image

SCHEDULE = "draft 1/2 x4; refine 0.75 x3"


@pytest.fixture
def flux():
    return tiny.build("flux", size=(32, 32))


class Previewer(latent_preview.LatentPreviewer):
    def decode_latent_to_preview(self, x0):
        return Image.new("RGB", (x0.shape[-1], x0.shape[-2]), (250, 250, 250))


def callback_of(previewer, sent):
    """A step callback as latent_preview.prepare_callback makes it."""

    def callback(step, x0, x, total_steps):
        sent.append(previewer.decode_latent_to_preview_image("JPEG", x0) if previewer else None)

    return callback


def draw(flux, live, callback=None):
    from fresco_pack.fresco_core import parse
    from fresco_pack.nodes.engine.wrappers import apply_fresco

    patched = apply_fresco(flux.patcher, parse(SCHEDULE), live=live)
    return tiny.sample(patched, flux, steps=7, callback=callback)


def test_the_hosts_own_callback_is_understood(flux, monkeypatch):
    from fresco_pack.nodes.host.samplers import previewer_of

    previewer = Previewer()
    monkeypatch.setattr(latent_preview, "get_previewer", lambda *_: previewer)
    assert previewer_of(latent_preview.prepare_callback(flux.patcher, 7)) is previewer
    monkeypatch.setattr(latent_preview, "get_previewer", lambda *_: None)
    assert previewer_of(latent_preview.prepare_callback(flux.patcher, 7)) is None
    assert previewer_of(None) is None and previewer_of(print) is None

    own = callback_of(previewer, [])

    def packed(step, *args):  # as the host puts around it where a latent has several streams
        return own(step, *args) or packed

    assert previewer_of(packed) is previewer


def test_previews_are_drawn_over_and_the_picture_stays(flux):
    plain, live, previewer = [], [], Previewer()
    before = draw(flux, False, callback_of(previewer, plain))
    after = draw(flux, True, callback_of(previewer, live))
    assert torch.equal(before, after) and len(plain) == len(live) == 7
    assert "decode_latent_to_preview_image" not in vars(previewer), "the host's previewer is as it was"
    kinds = {(kind, image.mode, image.size, longest) for kind, image, longest in live}
    assert kinds == {("JPEG", "RGB", (128, 128), latent_preview.MAX_PREVIEW_RESOLUTION)}
    pictures = [np.asarray(image) for _, image, _ in live]
    assert (pictures[0][:110] == 250).all(), "the first step of a pass has no values"
    assert not (pictures[2][:110] == 250).all(), "later ones are covered where they change"
    assert not (pictures[1][-10:] == pictures[6][-10:]).all(), "the plan's strip moves on"


def test_without_a_preview_the_run_goes_on(flux):
    sent = []
    assert torch.equal(draw(flux, True, callback_of(None, sent)), draw(flux, False)) and sent == [None] * 7


def test_an_interrupt_leaves_the_previewer_as_it_was(flux):
    previewer = Previewer()

    def callback(step, x0, x, total_steps):
        previewer.decode_latent_to_preview_image("JPEG", x0)
        if step == 3:
            raise comfy.model_management.InterruptProcessingException

    with pytest.raises(comfy.model_management.InterruptProcessingException):
        draw(flux, True, callback)
    assert "decode_latent_to_preview_image" not in vars(previewer)


def test_another_packs_override_of_the_previewer_stays(flux):
    previewer, sent, theirs = Previewer(), [], []
    plain = previewer.decode_latent_to_preview_image

    def override(preview_format, x0):
        theirs.append(x0.shape)
        return plain(preview_format, x0)

    previewer.decode_latent_to_preview_image = override
    draw(flux, True, callback_of(previewer, sent))
    assert previewer.decode_latent_to_preview_image is override, "what was there before is there again"
    assert len(theirs) == len(sent) == 7
    assert not (np.asarray(sent[6][1]) == 250).all(), "ours is drawn over theirs"


def test_an_override_that_comes_during_the_run_stays_and_is_drawn_on_no_more(flux):
    previewer, sent = Previewer(), []
    send = callback_of(previewer, sent)

    def callback(step, x0, x, total_steps):
        if step == 2:
            ours = previewer.decode_latent_to_preview_image
            previewer.decode_latent_to_preview_image = lambda *args: ours(*args)
        send(step, x0, x, total_steps)

    draw(flux, True, callback)
    assert "decode_latent_to_preview_image" in vars(previewer)
    after = previewer.decode_latent_to_preview_image("JPEG", torch.zeros(1, 16, 32, 32))
    assert (np.asarray(after[1]) == 250).all(), "the run is over: nothing is drawn"


def test_settled_and_refined_blocks_show_the_picture():
    from fresco_pack.fresco_core import Canvas, Evaluation, Trace
    from fresco_pack.fresco_core.view.colours import colour
    from fresco_pack.nodes.engine.live_view import drawn

    palette = (colour(torch.linspace(0.0, 1.0, 256)).numpy() * 255).round().astype(np.uint8)
    values = torch.tensor([[1.0, 1e-9], [1.0, 1.0]]).reshape(1, 1, 2, 2)
    fine = torch.tensor([[False, False], [True, False]]).reshape(1, 1, 2, 2)
    trace = Trace(1, Canvas(8, 8), 2, evaluations=[Evaluation(0, 0.5, 1, 7, values, fine)])
    black = np.asarray(drawn(Image.new("RGB", (8, 8)), trace, palette, 512)).astype(int).sum(-1)
    moving, settled, refined = black[32, 32], black[32, 96], black[96, 32]
    assert moving == black[96, 96] > 2 * max(settled, refined)


def test_large_previews_are_sent_at_the_hosts_size_and_wide_ones_keep_their_shape():
    from fresco_pack.fresco_core import Canvas, Trace
    from fresco_pack.nodes.engine.live_view import drawn

    palette, trace = np.zeros((256, 3), np.uint8), Trace(1, Canvas(64, 96), 2)
    assert drawn(Image.new("RGB", (1536, 1024)), trace, palette, 512).size == (512, 341)
    assert drawn(Image.new("RGB", (96, 64)), trace, palette, 512).size == (128, 85)


def test_the_strip_has_a_bar_for_every_step():
    from fresco_pack.fresco_core import Canvas, flow_sigmas, make_plan, parse
    from fresco_pack.nodes.engine.live_view import STRIP, plan_strip

    plan = make_plan(parse("1/2 x4, mixed 50% x4, full x2"), flow_sigmas(10), Canvas(32, 32))
    strip = plan_strip(plan, 3, 250).astype(int).sum(-1)
    heights = [(strip[:, 25 * i + 12] > 60).sum() for i in range(10)]
    assert heights == sorted(heights) and heights[0] < heights[5] < heights[9] <= STRIP
    assert strip[-1, 12] > strip[-1, 25 * 3 + 12], "done steps are brighter"


@pytest.mark.parametrize("given", [None, b"jpeg", ("JPEG", None, 512), ("JPEG", b"bytes", 512)])
def test_previews_that_are_no_pictures_are_left_as_they_are(flux, given):
    """VideoHelperSuite's previewer sends its animation itself and returns nothing."""

    class Other(Previewer):
        def decode_latent_to_preview_image(self, preview_format, x0, step=0):
            return given

    previewer, sent = Other(), []

    def callback(step, x0, x, total_steps):
        sent.append(previewer.decode_latent_to_preview_image("JPEG", x0, step))

    live = draw(flux, True, callback)
    assert torch.equal(live, draw(flux, False)) and sent == [given] * 7


def test_previews_of_any_size_are_drawn_over(flux):
    class Thin(Previewer):
        def decode_latent_to_preview(self, x0):
            return Image.new("RGB", (1, 3000))

    sent = []
    draw(flux, True, callback_of(Thin(), sent))
    assert {image.size for _, image, _ in sent} == {(1, 512)}


def test_a_heatmap_that_cannot_be_drawn_ends_with_one_note_and_no_run(flux, monkeypatch, caplog):
    from fresco_pack.nodes.engine import live_view

    def failing(*_):
        raise OSError("no room")

    monkeypatch.setattr(live_view, "drawn", failing)
    sent = []
    with caplog.at_level("WARNING"):
        live = draw(flux, True, callback_of(Previewer(), sent))
    assert torch.equal(live, draw(flux, False)) and len(sent) == 7
    assert [r.message for r in caplog.records if "live heatmap" in r.message] == [
        "Fresco draws no live heatmap any more (OSError)"
    ]


def test_a_callback_whose_variables_have_no_values_yet_has_no_previewer():
    from fresco_pack.nodes.host.samplers import previewer_of

    def callback(step, x0, x, total):
        return later(step)

    assert previewer_of(callback) is None
    later = None
