"""Mixed sequences by hand, token by token, for the host's own forward: what the adapters are held against.

Nothing of the pack is used. A sample's tokens are laid out as a latent one token high, and their positions
are put in place by a hook on the host's embedder. For two clocks the host is called with the sequence twice,
once at each clock; attention takes every token from the one of the two that has its clock, as no other layer
lets tokens see each other.
"""

from __future__ import annotations

from contextlib import contextmanager

import torch

JOINT = ("flux", "chroma", "hunyuan_video", "qwen_image", "krea2", "flux_kontext", "qwen_edit", "krea2_edit")
CENTRED = ("qwen_image", "qwen_edit")
PER_TOKEN = ("wan",)  # timesteps


def conditions(model, batch):
    """The network's keyword arguments for the model's positive conditioning and a batch of the canvas."""
    base, x = model.model, model.latent["samples"]
    text, extra = model.positive[0]
    made = base.extra_conds(noise=x, device="cpu", cross_attn=text, **extra)
    out = {name: cond.process_cond(batch_size=batch, area=None).cond for name, cond in made.items()}
    return {"c_crossattn": text.expand(batch, -1, -1)} | out


def tokens_by_hand(x, last, mask, sigma, own_clock):
    """One sample's sequence: tokens (C, 2, 2), places (t, row, column) in fine tokens, slices, sigmas.

    x and last (C, T, H, W), mask (T, rows, columns); fine tokens first, both in raster order.
    """
    own = sigma / (2 - sigma)
    fine, coarse = [], []
    for t, r, c in torch.cartesian_prod(*(torch.arange(n) for n in (len(mask), *x.shape[2:]))).tolist():
        if r % 2 or c % 2:
            continue
        if mask[t, r // 4, c // 4]:
            at = (t, slice(r, r + 2), slice(c, c + 2))
            fine.append((x[:, at[0], at[1], at[2]], (t, r // 2, c // 2), at, sigma))
    for t, r, c in (~mask).nonzero().tolist():
        token = torch.zeros(x.shape[0], 2, 2)
        for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
            y0, x0 = 4 * r + 2 * dy, 4 * c + 2 * dx
            block = (slice(None), t, slice(y0, y0 + 2), slice(x0, x0 + 2))
            if own_clock:
                token[:, dy, dx] = x[block].mean(dim=(1, 2)) / (1 - sigma / 2)
            else:
                detail = last[:, t, y0, x0] - last[block].mean(dim=(1, 2))
                token[:, dy, dx] = x[:, t, y0, x0] - (1 - sigma) * detail
        at = (t, slice(4 * r, 4 * r + 4), slice(4 * c, 4 * c + 4))
        coarse.append((token, (t, 2 * r + 0.5, 2 * c + 0.5), at, own if own_clock else sigma))
    return fine + coarse


def prediction_by_hand(model, x, last, mask, sigma, own_clock):
    """The canvas prediction of one sample (C, [T,] H, W), coarse pixels copied."""
    video = x.ndim == 4
    x, last = (v if video else v.unsqueeze(1) for v in (x, last))
    sequence = tokens_by_hand(x, last, mask, sigma, own_clock)
    tokens, places, slices, sigmas = zip(*sequence)
    strip = torch.cat(tokens, dim=-1)[None]
    strip = strip.unsqueeze(2) if video else strip
    options, sigmas = {}, torch.tensor(sigmas)
    network, base = model.model.diffusion_model, model.model
    per_token = own_clock and model.name in PER_TOKEN
    called = torch.tensor([sigma, sigma / (2 - sigma)] if own_clock and not per_token else [sigma])
    with torch.inference_mode(), in_place(model, places, mask, options):
        clock = base.model_sampling.timestep(sigmas).float()[None]
        handle = network.register_forward_pre_hook(
            lambda _, args: (args[0], clock, *args[2:]) if per_token else None
        )
        strip = strip.expand(len(called), *strip.shape[1:])
        out = base.apply_model(strip, called, transformer_options=options, **conditions(model, len(called)))
        handle.remove()
    velocity = (strip - out) / called.view(-1, *(1 for _ in strip.shape[1:]))
    velocity = velocity.reshape(len(called), len(x), 2, -1, 2).unbind(3)
    velocity = [v[int(s < sigma) % len(called)] for v, s in zip(velocity, sigmas)]
    result = torch.zeros_like(x)
    for token, v, s, at in zip(tokens, velocity, sigmas, slices):
        times = (at[1].stop - at[1].start) // 2
        result[:, at[0], at[1], at[2]] = (
            (token - s * v).repeat_interleave(times, 1).repeat_interleave(times, 2)
        )
    return result if video else result.squeeze(1)


@contextmanager
def in_place(model, places, mask, options):
    """The host's network with its image tokens at `places`, on the coarse grid where all of them are coarse;
    attention sees each token at its clock."""
    network, name = model.model.diffusion_model, model.name
    count, rows, columns = len(places), 2 * mask.shape[1], 2 * mask.shape[2]
    where = torch.tensor(places, dtype=torch.float32)
    is_low = where[:, 1] % 1 == 0.5
    whole_grid = bool(is_low.all())
    if whole_grid:
        where[:, 1:] = (where[:, 1:] / 2).floor()
        rows, columns = rows // 2, columns // 2
    latents = conditions(model, 1).get("ref_latents", ())
    rest = sum(x.shape[-2] // 2 * (x.shape[-1] // 2) for x in latents)  # tokens behind the image's
    rest += -count % (getattr(network, "pad_tokens_multiple", None) or 1)
    lengths = []

    def moved(embedder, args):
        ids = args[0].float().clone()
        if name in ("lumina2", "z_image"):  # the text's own positions and the padding stay
            if ids[0, 0, 0] != ids[0, 1, 0]:
                return None
            start = 0
        else:
            start = ids.shape[1] - count - rest
        lengths.append(ids.shape[1])
        if whole_grid:
            ids[:, start + count :, 1:3] /= 2
        if len(mask) > 1:
            ids[:, start : start + count, 0] = where[:, 0]
        half = torch.tensor((rows // 2, columns // 2) if name in CENTRED else (0, 0))
        ids[:, start : start + count, -2:] = where[:, 1:] - half
        if name in CENTRED:
            ids[:, :start] += max(rows, columns) // 2 - ids[0, 0, 0]
        return (ids,)

    def attend(func, q, k, v, *args, **kwargs):
        start = q.shape[2] - count - rest
        if start >= 0 and (name not in JOINT or q.shape[2] in lengths):
            q, k, v = (by_clock(x, is_low, start) for x in (q, k, v))
        return func(q, k, v, *args, **kwargs)

    if name not in PER_TOKEN:
        options["optimized_attention_override"] = attend
    embedder = getattr(network, "pe_embedder", None) or network.rope_embedder
    handle = embedder.register_forward_pre_hook(moved)
    try:
        yield
    finally:
        handle.remove()


def by_clock(x, is_low, start):
    """x (2, heads, L, D) at two clocks, the same for both: tokens from `start` on that are low have
    the second. The rest has the first if anything has."""
    second = is_low.all().repeat(x.shape[2])
    second[start : start + len(is_low)] = is_low
    return torch.where(second[:, None], x[-1:], x[:1]).expand_as(x)
