"""What other nodes keep from call to call: emptied where the look changes, or the run is plain; patches that
keep a map of the canvas see no mixed sequence."""

import comfy_extras.nodes_flux as flux_nodes
import pytest
import tiny
import torch
from recorded import warnings
from test_all_models import level_of

TWO_PASS = "draft 1/2 x3; refine 0.9 x3"
needs_cache = pytest.mark.skipif(
    not hasattr(flux_nodes, "FluxKVCache"), reason="this host has no FLUX key and value cache"
)


@needs_cache
@pytest.mark.parametrize("schedule", [TWO_PASS, "1/2 x3, full x3", "draft 1/4 x1, 1/2 x2; refine 0.9 x3"])
def test_full_steps_attend_to_all_tokens_of_the_reference(apply, monkeypatch, schedule):
    """Core's cache of keys and values, behind Fresco and plain: equal reference tokens in every full step."""
    model = tiny.build("flux2", size=(16, 16))
    channels = model.latent["samples"].shape[1]
    reference = torch.randn(1, channels, 16, 16, generator=torch.Generator().manual_seed(0))
    extra = {"reference_latents": [reference]}
    pair = {
        side: [[cond[0][0], cond[0][1] | extra]]
        for side, cond in (("positive", model.positive), ("negative", model.negative))
    }
    cached = flux_nodes.FluxKVCache.execute(model.patcher).args[0]
    queried = []
    original = flux_nodes.KV_Attn_Input.__call__

    def watched(self, q, k, v, extra_options, **kwargs):
        out = original(self, q, k, v, extra_options, **kwargs)
        if (extra_options["block_type"], extra_options["block_index"]) == ("double", 0):
            queried.append((q.shape[2], out.get("k", k).shape[2]))
        return out

    monkeypatch.setattr(flux_nodes.KV_Attn_Input, "__call__", watched)
    tiny.sample(cached, model, steps=6, **pair)
    keys = {k for _, k in queried}
    assert len(keys) == 1, "plain: keys of text, picture and reference in every step"
    least = min(q for q, _ in queried)
    queried.clear()
    ours = tiny.sample(apply(cached, schedule), model, steps=6, **pair)
    assert torch.isfinite(ours).all()
    text = least - 256
    for q, k in queried:
        level = next(n for n in (256, 64, 16) if q in (text + n, text + 2 * n))
        assert k == text + 2 * level, "a reference as fine as the look"
    assert queried[-1] == (least, *keys), "the last step takes the reference from the cache"


class FirstBlockCache:
    """nunchaku's wrapper of FLUX, as far as its first-block cache goes: features of one step are compared
    with those of the last, in a context that begins anew with a timestep that does not fall."""

    def __init__(self, network):
        self.inner, self._prev_timestep, self._cache_context, self.shape = network, None, None, None

    def __call__(self, x, timestep, *args, **kwargs):
        now = float(timestep.flatten()[0])
        if self._prev_timestep is None or self._prev_timestep < now + 1e-5:
            self._cache_context = {}
        last = self._cache_context.get("features")
        if last is not None and last.shape != x.shape:
            raise RuntimeError("The size of tensor a must match the size of tensor b")
        self._cache_context["features"] = x
        self._prev_timestep = now
        return self.inner(x, timestep, *args, **kwargs)


@pytest.mark.parametrize("schedule", [TWO_PASS, "1/2 x3, full x3"])
def test_nunchakus_first_block_cache_begins_anew_with_the_look(apply, monkeypatch, caplog, schedule):
    model = tiny.build("flux")
    network = model.model.diffusion_model
    stand_in = FirstBlockCache(network.forward)

    class Wrapper(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model, self.dtype, self.config = network, network.dtype, {"patch_size": 2}
            self._prev_timestep = self._cache_context = None

        def forward(self, *args, **kwargs):
            for name in ("_prev_timestep", "_cache_context"):
                setattr(stand_in, name, getattr(self, name))
            out = stand_in(*args, **kwargs)
            for name in ("_prev_timestep", "_cache_context"):
                setattr(self, name, getattr(stand_in, name))
            return out

    expected = tiny.sample(apply(model.patcher, schedule), model, steps=6)
    monkeypatch.setitem(model.model._modules, "diffusion_model", Wrapper())
    with caplog.at_level("WARNING"):
        ours = tiny.sample(apply(model.patcher, schedule), model, steps=6)
    assert torch.equal(ours, expected) and not warnings(caplog)


def test_a_step_cache_that_cannot_begin_anew_makes_the_run_plain(apply, caplog):
    model = tiny.build("flux")

    def unet_wrapper(apply_model, args):
        return apply_model(args["input"], args["timestep"], **args["c"])

    unet_wrapper.__module__ = "custom_nodes.ComfyUI-TeaCache.nodes"
    patcher = model.patcher.clone()
    patcher.set_model_unet_function_wrapper(unet_wrapper)
    with caplog.at_level("WARNING"):
        ours = tiny.sample(apply(patcher, TWO_PASS), model, steps=6)
    assert torch.equal(ours, tiny.sample(patcher, model, steps=6))
    assert len(warnings(caplog)) == 1 and "a step cache (teacache)" in warnings(caplog)[0]
    other = model.patcher.clone()
    unet_wrapper.__module__ = "custom_nodes.something"
    other.set_model_unet_function_wrapper(unet_wrapper)
    assert not torch.equal(tiny.sample(apply(other, TWO_PASS), model, steps=6), ours)


class VAE:
    """Encodes a picture to the block means of its first channels."""

    def spacial_compression_encode(self):
        return 8

    def encode(self, pixels):
        picture = pixels.movedim(-1, 1).mean(1, keepdim=True).expand(-1, 16, -1, -1)
        return torch.nn.functional.avg_pool2d(picture, 8)


@pytest.mark.parametrize("schedule", [TWO_PASS, "3/4 x3, full x3", "draft 1/4 x1, 1/2 x2; refine 0.9 x3"])
def test_poses_that_wan_animate_2_keeps_are_those_of_each_look(apply, schedule):
    """Core's cache of the pose branch, behind Fresco and without the cache; it is filled once a look."""
    import comfy_extras.nodes_wan as nodes
    from test_all_models import built, dressed

    if not hasattr(nodes, "WanAnimate2Cache"):
        pytest.skip("this host has no cache of Wan Animate 2's poses")
    patcher = built("WAN_Animate2")
    model = dressed("WAN_Animate2", patcher, 0)
    cached = nodes.WanAnimate2Cache.execute(patcher, "cpu").args[0]
    cache, filled = cached.model_options["transformer_options"]["animate2_cache"], []
    put = cache.put
    cache.put = lambda index, pose: filled.append((index, pose.shape[1])) or put(index, pose)
    ours, wanted = (tiny.sample(apply(p, schedule), model, steps=6, cfg=1.0) for p in (cached, patcher))
    torch.testing.assert_close(ours, wanted, rtol=1e-3, atol=1e-3 * float(wanted.std()))
    tokens = [count for index, count in filled if index == 0]
    assert len(tokens) == schedule.count(" x") and tokens == sorted(set(tokens)), "once for each look"
    assert cache.slots == [], "and nothing of it stays"


class Control:
    """The network of a model patch: what it adds to the image's tokens."""

    additional_in_dim = 0
    n_control_layers = 1
    model = property(lambda self: self)

    def process_input_latent_image(self, latent):
        return latent.flatten(2).transpose(1, 2).reshape(latent.shape[0], -1, 64)

    def control_block(self, img, hint, block):
        assert img.shape[1] == hint.shape[1], f"{img.shape[1]} tokens, and a hint of {hint.shape[1]}"
        return torch.nn.functional.pad(hint.mean(-1, keepdim=True), (0, img.shape[-1] - 1))


def controlled(kind):
    """A tiny Qwen-Image with the host's own patch of that class around a control network of ours."""
    import comfy_extras.nodes_model_patch as nodes

    model = tiny.build("qwen_image")
    if not hasattr(nodes, kind):
        pytest.skip(f"this host has no {kind}")
    image = torch.rand(1, 128, 128, 3, generator=torch.Generator().manual_seed(0))
    patch = getattr(nodes, kind)(Control(), VAE(), image, 1.0)
    patch.models = list  # nothing to load
    patcher = model.patcher.clone()
    patcher.set_model_double_block_patch(patch)
    return model, patcher


def test_a_patch_that_keeps_a_map_sees_every_dense_look_at_its_size(apply, caplog):
    model, patcher = controlled("DiffSynthCnetPatch")
    with caplog.at_level("WARNING"):
        ours = tiny.sample(apply(patcher, TWO_PASS), model, steps=6)
    assert torch.isfinite(ours).all() and not warnings(caplog)
    assert not torch.equal(ours, tiny.sample(apply(model.patcher, TWO_PASS), model, steps=6))


@pytest.mark.parametrize("part", ["1/2", "3/4"])
@pytest.mark.parametrize("size", [(16, 16), (22, 30), (26, 18)])
def test_what_a_patch_looks_at_lies_where_it_is_on_a_canvas_that_the_level_continues(apply, size, part):
    """The host would stretch a picture of 22x30 latent pixels to the 24x32 that half size continues them
    to."""
    import comfy_extras.nodes_model_patch as nodes

    model = tiny.build("qwen_image", size=size)
    if not hasattr(nodes, "DiffSynthCnetPatch"):
        pytest.skip("this host has no DiffSynthCnetPatch")
    rows, columns = ((torch.arange(8 * side) + 0.5) / 8 for side in size)
    places = torch.stack(
        (*torch.meshgrid(rows, columns, indexing="ij"), torch.zeros(8 * size[0], 8 * size[1])), -1
    )
    seen = []

    class Watched(VAE):
        def encode(self, pixels):
            seen.append(pixels.clone())
            return super().encode(pixels)

    patch = nodes.DiffSynthCnetPatch(Control(), Watched(), places[None], 1.0)
    patch.models = list
    patcher = model.patcher.clone()
    patcher.set_model_double_block_patch(patch)
    seen.clear()
    tiny.sample(apply(patcher, f"{part} x1, full x1"), model, steps=2, cfg=1.0)
    across = 2 ** level_of(part)  # latent pixels of the canvas that one of the level's covers
    found = torch.nn.functional.avg_pool2d(seen[0].movedim(-1, 1), 8)[0]
    for axis, side in enumerate(size):
        wanted = (torch.arange(found.shape[1 + axis]) + 0.5) * across
        lines = found[axis].mean(1 - axis)
        inside = wanted < side - across
        torch.testing.assert_close(lines[inside], wanted[inside], atol=0.02, rtol=0)
    assert patch.image.shape[1:3] == (8 * size[0], 8 * size[1]), "and the patch has its own picture again"


def test_a_patch_that_keeps_a_map_makes_mixed_steps_dense_with_one_warning(apply, caplog):
    model, patcher = controlled("DiffSynthCnetPatch")
    with caplog.at_level("WARNING"):
        ours = tiny.sample(apply(patcher, "1/2 x2, mixed 50% x2, full x2"), model, steps=6)
    assert torch.equal(ours, tiny.sample(apply(patcher, "1/2 x2, full x4"), model, steps=6))
    assert warnings(caplog) == [
        "Fresco takes mixed steps at full resolution: a patch of the model keeps a map of the whole grid"
    ]


@pytest.mark.parametrize("kind", ["DiffSynthCnetPatch", "ZImageControlPatch", "WanUni3CCnetPatch"])
def test_the_hosts_patches_that_keep_a_map_are_recognised(kind):
    import comfy_extras.nodes_model_patch as nodes
    from fresco_pack.nodes.host.caches import keeps_a_map

    if not hasattr(nodes, kind):
        pytest.skip(f"this host has no {kind}")
    assert keeps_a_map(object.__new__(getattr(nodes, kind)))
    if hasattr(nodes, "UsoStyleProjectorPatch"):
        assert not keeps_a_map(object.__new__(nodes.UsoStyleProjectorPatch)), "tokens of style, no map"


def test_anima_s_lllite_is_recognised():
    lllite = pytest.importorskip("comfy.ldm.anima.lllite", reason="this host has no LLLite")
    from fresco_pack.nodes.host.caches import patches_with_maps

    patch = lllite.AnimaLLLitePatch(None, None, None, 1.0, 1.0, 0.0)
    inside = lllite.AnimaLLLiteAttentionPatch(patch, {})
    assert patches_with_maps({"patches": {"post_input": [patch], "attn1_patch": [inside]}}) == [patch]
