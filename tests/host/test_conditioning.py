"""What users connect besides a prompt, against the plain sampler: dense levels on tiny models."""

import pytest
import tiny
import tiny_control
import torch

TWO_PASS = "draft 1/2 x4; refine 0.75 x3"
ONE_PASS = "1/2 until 0.9, full"
THREE_QUARTERS = "draft 3/4 x4; refine 0.75 x3"
SCHEDULES = [ONE_PASS, TWO_PASS, THREE_QUARTERS]
COARSE_SIDE = {ONE_PASS: 8, TWO_PASS: 8, THREE_QUARTERS: 12}
"""Latent pixels of a coarse look's side, of sixteen."""


def correlation(a, b):
    return float(torch.corrcoef(torch.stack((a.flatten(), b.flatten())))[0, 1])


def follows(model, patched, change, floor=0.8):
    """A change of conditioning moves Fresco's result where it moves the plain one."""
    plain_move = tiny.sample(model.patcher, model, steps=7, **change) - tiny.sample(
        model.patcher, model, steps=7
    )
    move = tiny.sample(patched, model, steps=7, **change) - tiny.sample(patched, model, steps=7)
    assert float(plain_move.std()) > 1e-3, "the change must matter to the plain sampler"
    return correlation(plain_move, move) > floor and 0.7 < float(move.std() / plain_move.std()) < 1.4


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_inpainting_keeps_the_unmasked_half(flux, apply, schedule):
    source = tiny.sample(flux.patcher, flux, steps=4, seed=3)
    mask = torch.zeros(1, 1, 128, 128)
    mask[..., 64:] = 1.0
    ours = tiny.sample(apply(flux.patcher, schedule), flux, steps=7, latent=source, noise_mask=mask)
    plain = tiny.sample(flux.patcher, flux, steps=7, latent=source, noise_mask=mask)
    kept = (ours - source)[..., :8].abs().max()
    assert kept <= (plain - source)[..., :8].abs().max() + 1e-5
    assert (ours - source)[..., 8:].std() > 0.1


def test_soft_mask_mixes_the_source_in_once(flux, apply):
    """At mask 0.5 everywhere the result holds the source as much as the plain sampler's does, after two
    passes too."""
    source = 5.0 * tiny.sample(flux.patcher, flux, steps=4, seed=3)
    mask = torch.full((1, 1, 128, 128), 0.5)

    def share(patcher):
        result = tiny.sample(patcher, flux, steps=7, latent=source, noise_mask=mask)
        return float((result * source).sum() / (source**2).sum())

    assert share(apply(flux.patcher, TWO_PASS)) == pytest.approx(share(flux.patcher), rel=0.1)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_inpaint_model_gets_its_concatenated_latents(apply, schedule):
    model = tiny.build("flux_inpaint")
    other = [
        [
            model.positive[0][0],
            {
                **model.positive[0][1],
                "concat_latent_image": 3.0 * torch.roll(model.positive[0][1]["concat_latent_image"], 5, -1),
            },
        ]
    ]
    with tiny.count_image_tokens(model) as seen:
        tiny.sample(apply(model.patcher, schedule), model, steps=7)
    assert {count for count, _ in seen} == {(COARSE_SIDE[schedule] // 2) ** 2, 64}
    assert follows(model, apply(model.patcher, schedule), {"positive": other})


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_video_model_gets_its_start_image(apply, schedule):
    model = tiny.build("wan_i2v")
    said = {**model.positive[0][1]}
    said["concat_latent_image"] = 3.0 * torch.roll(said["concat_latent_image"], 5, -1)
    assert follows(model, apply(model.patcher, schedule), {"positive": [[model.positive[0][0], said]]})


def test_reference_latents_shrink_with_the_look(apply):
    model = tiny.build("flux_kontext")
    with tiny.count_image_tokens(model) as seen:
        tiny.sample(apply(model.patcher, ONE_PASS), model, steps=6)
    counts = [count for count, _ in seen]
    assert counts[0] * 4 == counts[-1]


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("area", [(8, 8, 4, 4), (7, 9, 3, 5)], ids=["even", "odd"])
def test_area_conditioning(flux, apply, schedule, area):
    inner = tiny.conditioning(flux, 5)
    positive = [*flux.positive, [inner[0][0], {**inner[0][1], "area": area, "strength": 2.0}]]
    assert follows(flux, apply(flux.patcher, schedule), {"positive": positive})


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_masked_conditioning_acts_inside_its_mask(flux, apply, schedule):
    mask = torch.zeros(1, 16, 16)
    mask[:, :, 9:] = 1.0
    inner = tiny.conditioning(flux, 5)
    positive = [*flux.positive, [inner[0][0], {**inner[0][1], "mask": mask, "mask_strength": 1.0}]]
    assert follows(flux, apply(flux.patcher, schedule), {"positive": positive})


def test_start_and_end_percent_are_judged_on_the_canvas(flux, apply):
    """Per evaluation the number of conditionings in use is the plain sampler's at the same canvas sigma."""
    early, late = tiny.conditioning(flux, 5), tiny.conditioning(flux, 6)
    positive = [
        [early[0][0], {**early[0][1], "start_percent": 0.0, "end_percent": 0.4}],
        [late[0][0], {**late[0][1], "start_percent": 0.4, "end_percent": 1.0}],
        [early[0][0], {**early[0][1], "start_percent": 0.0, "end_percent": 0.7}],
    ]

    def conditionings_per_step(patcher):
        with tiny.count_image_tokens(flux) as seen:
            tiny.sample(patcher, flux, steps=10, positive=positive)
        return [batch for _, batch in seen]

    assert conditionings_per_step(apply(flux.patcher, "1/2 until 0.3, full")) == conditionings_per_step(
        flux.patcher
    )


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_controlnet_sees_the_level_and_its_percents_the_canvas(flux, apply, schedule):
    control = tiny_control.flux_controlnet()
    hint = tiny_control.hint_image(size=(16, 16))
    positive, negative = tiny_control.with_control_pair(
        flux.positive, flux.negative, control, hint, strength=1.0, start=0.0, end=1.0
    )
    change = {"positive": positive, "negative": negative}
    assert follows(flux, apply(flux.patcher, schedule), change)
    with tiny_control.count_control_calls(control) as calls:
        tiny.sample(apply(flux.patcher, schedule), flux, steps=7, **change)
    assert set(calls) == {(COARSE_SIDE[schedule],) * 2, (16, 16)}

    halfway = tiny_control.with_control_pair(
        flux.positive, flux.negative, control, hint, strength=1.0, start=0.2, end=0.6
    )
    change = dict(zip(("positive", "negative"), halfway))
    with tiny_control.count_control_calls(control) as plain_calls:
        tiny.sample(flux.patcher, flux, steps=10, **change)
    with tiny_control.count_control_calls(control) as calls:
        tiny.sample(apply(flux.patcher, "1/2 until 0.3, full"), flux, steps=10, **change)
    assert len(calls) == len(plain_calls) and 0 < len(calls) < 10


def test_a_hint_lies_where_it_is_on_a_canvas_that_the_level_continues(apply):
    """18x30 latent pixels are continued to 20x32 at half size; the host would centre the hint on those."""
    model = tiny.build("flux", size=(18, 30))
    control, seen = tiny_control.flux_controlnet(), []
    rows, columns = torch.arange(18 * 8) / 143.0, torch.arange(30 * 8) / 239.0
    hint = torch.stack((*torch.meshgrid(rows, columns, indexing="ij"), torch.zeros(144, 240)), dim=-1)[None]
    pair = tiny_control.with_control_pair(model.positive, model.negative, control, hint)
    handle = control.control_model.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["hint"]), with_kwargs=True
    )
    try:
        patched = apply(model.patcher, TWO_PASS)
        tiny.sample(patched, model, steps=7, **dict(zip(("positive", "negative"), pair)))
    finally:
        handle.remove()
    coarse, full = seen[0][0], seen[-1][0]
    assert coarse.shape[-2:] == (80, 128) and full.shape[-2:] == (144, 240)
    merged = torch.nn.functional.avg_pool2d(full, 2)
    torch.testing.assert_close(coarse[:2, :72, :120], merged[:2], atol=2 / 143, rtol=0)
    assert float(coarse[:2, 72:, 120:].min()) > 0.98, "beyond the canvas its last row and column go on"


@pytest.mark.parametrize("size,picture", [((18, 30), (288, 480)), ((18, 30), (300, 480)), ((16, 16), (1, 1))])
def test_what_the_host_crops_of_a_picture_is_continued(size, picture):
    import comfy.utils
    from fresco_pack.nodes.engine.control_pictures import continued_picture

    whole = tuple(-(-side // 4) * 4 for side in size)
    given = torch.rand(1, 3, *picture)
    found = continued_picture(given, size, whole)
    if picture == (1, 1):
        assert torch.equal(found, given)
        return
    own = comfy.utils.common_upscale(given, 480, 288, "nearest-exact", "center")
    assert found.shape[-2:] == (320, 512) and torch.equal(found[..., :288, :480], own)
    assert torch.equal(found[..., 288:, :480], own[..., -1:, :].expand(-1, -1, 32, -1))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_unequal_cond_and_uncond(flux, apply, schedule):
    negative = tiny.conditioning(flux, 9, tokens=13)
    patched = apply(flux.patcher, schedule)
    with tiny.count_image_tokens(flux) as seen:
        ours = tiny.sample(patched, flux, steps=7, cfg=3.0, negative=negative)
    assert len(seen) == 14 and {batch for _, batch in seen} == {1}
    assert correlation(ours, tiny.sample(flux.patcher, flux, steps=7, cfg=3.0, negative=negative)) > 0.5


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_batch_is_its_pictures_one_by_one(apply, schedule):
    """batch > 1 and batch_index: every picture of a batch is the picture that it would be alone."""
    import comfy.sample

    model, single = tiny.build("flux", batch=3), tiny.build("flux")
    together = comfy.sample.prepare_noise(model.latent["samples"], 7, [4, 0, 2])
    ours = tiny.sample(apply(model.patcher, schedule), model, steps=7, noise=together, cfg=2.0)
    for i in range(3):
        alone = tiny.sample(
            apply(single.patcher, schedule), single, steps=7, noise=together[i : i + 1], cfg=2.0
        )
        torch.testing.assert_close(ours[i : i + 1], alone, rtol=1e-3, atol=1e-4)


def test_latents_that_a_model_sees_clean_stay_clean_in_a_coarse_look(apply):
    """Image-to-video families show the model the kept part without noise; merging must not rescale it."""
    from fresco_pack.fresco_core import merge
    from fresco_pack.nodes.host.model import shows_kept_clean

    model = tiny.build("hunyuan_video")
    assert shows_kept_clean(model.model)
    assert not shows_kept_clean(tiny.build("flux").model)
    source = tiny.sample(model.patcher, model, steps=4, seed=3)
    mask = torch.ones(1, 1, *source.shape[2:])
    mask[:, :, :1] = 0.0  # the first frame is given
    seen = []
    handle = model.model.diffusion_model.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    try:
        ours = tiny.sample(apply(model.patcher, TWO_PASS), model, steps=7, latent=source, noise_mask=mask)
    finally:
        handle.remove()
    given = model.model.process_latent_in(source)[:, :, :1]
    assert seen[0].shape[-1] * 2 == source.shape[-1]
    for x in seen[:4]:
        torch.testing.assert_close(x[:, :, :1], merge(given, 1))
    for x in seen[4:]:
        torch.testing.assert_close(x[:, :, :1], given)
    torch.testing.assert_close(ours[:, :, :1], source[:, :, :1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("change", ["area", "differential"])
def test_what_is_kept_but_cannot_be_found_in_a_look_makes_the_run_plain(apply, change):
    model = tiny.build("hunyuan_video")
    source = tiny.sample(model.patcher, model, steps=4, seed=3)
    mask = torch.ones(1, 1, *source.shape[2:])
    mask[:, :, :1] = 0.0
    given = {"latent": source, "noise_mask": mask}
    patcher = model.patcher.clone()
    if change == "area":
        part = [[model.positive[0][0], model.positive[0][1] | {"area": (8, 8, 0, 0), "strength": 1.0}]]
        given["positive"] = model.positive + part
        words = "a prompt of its own area does not say where in it lies what the mask keeps"
    else:
        patcher.set_model_denoise_mask_function(lambda sigma, mask, extra_options: (mask >= 0.5).float())
        words = "a mask that changes from step to step does not tell this model what it keeps"
    plain = tiny.sample(patcher, model, steps=7, **given)
    traces = []
    assert torch.equal(tiny.sample(apply(patcher, TWO_PASS, traces), model, steps=7, **given), plain)
    assert traces[-1].plan.reason == words


@pytest.mark.parametrize("height", (8, 10, 11))
def test_blocks_that_the_edge_breaks_are_evened_once(apply, height, monkeypatch):
    """At three quarters 10 rows end in half a block: what a look knows of it the host's sum of several
    predictions has to keep."""
    from fresco_pack.nodes.engine import wrappers

    model, outs = tiny.build("flux", size=(height, 8)), []
    for evened in (wrappers.evened, lambda view, streams, prediction, x, options: prediction):
        monkeypatch.setattr(wrappers, "evened", evened)
        outs.append(tiny.sample(apply(model.patcher, "3/4 x3, full x2"), model, steps=5))
    torch.testing.assert_close(*outs, rtol=1e-4, atol=1e-4 * float(outs[1].std()))
