"""Mixed sequences by hand, token by token, for the host's own forward: what the adapters are held against.

Nothing of the pack is used. A sample's tokens are laid out as a latent one token high, their positions are
put in place by a hook on the host's embedder, and attention in two frames is written out as a masked matrix.
For two clocks the host is called with the sequence twice, once at each clock; attention takes every token
from the one of the two that has its clock, as no other layer lets tokens see each other.
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


def tokens_by_hand(x, last, mask, sigma, native):
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
            if native:
                token[:, dy, dx] = x[block].mean(dim=(1, 2)) / (1 - sigma / 2)
            else:
                detail = last[:, t, y0, x0] - last[block].mean(dim=(1, 2))
                token[:, dy, dx] = x[:, t, y0, x0] - (1 - sigma) * detail
        at = (t, slice(4 * r, 4 * r + 4), slice(4 * c, 4 * c + 4))
        coarse.append((token, (t, 2 * r + 0.5, 2 * c + 0.5), at, own if native else sigma))
    return fine + coarse


def prediction_by_hand(model, x, last, mask, sigma, native, aligned):
    """The canvas prediction of one sample (C, [T,] H, W), coarse pixels copied, without a detail prior."""
    video = x.ndim == 4
    x, last = (v if video else v.unsqueeze(1) for v in (x, last))
    sequence = tokens_by_hand(x, last, mask, sigma, native)
    tokens, places, slices, sigmas = zip(*sequence)
    strip = torch.cat(tokens, dim=-1)[None]
    strip = strip.unsqueeze(2) if video else strip
    options, sigmas = {}, torch.tensor(sigmas)
    network, base = model.model.diffusion_model, model.model
    per_token = native and model.name in PER_TOKEN
    called = torch.tensor([sigma, sigma / (2 - sigma)] if native and not per_token else [sigma])
    with torch.inference_mode(), in_frames(model, places, mask, aligned, options):
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
def in_frames(model, places, mask, aligned, options):
    """The host's network with its image tokens at `places`, and attention in two frames where it is joint and
    should be aligned."""
    network, name = model.model.diffusion_model, model.name
    count, rows, columns = len(places), 2 * mask.shape[1], 2 * mask.shape[2]
    fine_places = torch.tensor(places, dtype=torch.float32)
    low_places = fine_places.clone()
    low_places[:, 1:] = (low_places[:, 1:] / 2).floor()
    is_low = fine_places[:, 1] % 1 == 0.5
    single = low_places if is_low.all() else fine_places
    seen_low = is_low | ((fine_places[:, 1] % 2 == 0) & (fine_places[:, 2] % 2 == 0))
    tables = []
    references = [reference_corners(x) for x in conditions(model, 1).get("ref_latents", ())]
    seen_low = torch.cat((seen_low, *references))
    rest = seen_low.numel() - count  # behind the image's tokens: references, or padding
    rest += -count % (getattr(network, "pad_tokens_multiple", None) or 1)

    def placed(ids, where, rows, columns, start):
        ids = ids.float().clone()
        if where is low_places:
            ids[:, start + count :, 1:3] /= 2
        if len(mask) > 1:
            ids[:, start : start + count, 0] = where[:, 0]
        half = torch.tensor((rows // 2, columns // 2) if name in CENTRED else (0, 0))
        ids[:, start : start + count, -2:] = where[:, 1:] - half
        if name in CENTRED:
            ids[:, :start] += max(rows, columns) // 2 - ids[0, 0, 0]
        return ids

    def moved(embedder, args):
        (ids,) = args
        if name in ("lumina2", "z_image"):  # the text's own positions and the padding stay
            return (placed(ids, single, rows, columns, 0),) if ids[0, 0, 0] == ids[0, 1, 0] else None
        start = ids.shape[1] - count - rest
        if name in JOINT:
            both = (fine_places, rows, columns), (low_places, rows // 2, columns // 2)
            tables[:] = [embedder.forward(placed(ids, *frame, start)) for frame in both]
            return (placed(ids, fine_places, rows, columns, start),)
        return (placed(ids, single, rows, columns, start),)

    def attend(func, q, k, v, heads, *args, **kwargs):
        start = q.shape[2] - count - rest
        if start < 0 or name in JOINT and (not tables or q.shape[2] != tables[0].shape[2]):
            return func(q, k, v, heads, *args, **kwargs)
        q, k, v = (by_clock(x, is_low, start) for x in (q, k, v))
        if name not in JOINT:
            return func(q, k, v, heads, *args, **kwargs)
        fine, low = tables
        scores = [
            (turned(turned(q, fine.mT), to) @ turned(turned(k, fine.mT), to).mT) / q.shape[-1] ** 0.5
            for to in (fine, low)
        ]
        hidden = torch.cat((torch.zeros(start, dtype=torch.bool), ~seen_low))
        scores[1] = scores[1].masked_fill(hidden, -torch.inf)
        low_rows = is_low.all().repeat(q.shape[2])
        low_rows[start : start + count] = is_low & (aligned | is_low.all())
        weights = torch.where(low_rows[:, None], scores[1].softmax(-1), scores[0].softmax(-1))
        return (weights @ v).transpose(1, 2).flatten(2)

    if name not in PER_TOKEN:
        options["optimized_attention_override"] = attend
    embedder = getattr(network, "pe_embedder", None) or network.rope_embedder
    handle = embedder.register_forward_pre_hook(moved)
    try:
        yield
    finally:
        handle.remove()


def reference_corners(latent):
    """Which tokens of a reference latent coarse queries see: one of every 2x2, (N,)."""
    rows, columns = (torch.arange(n // 2) % 2 == 0 for n in latent.shape[-2:])
    return (rows[:, None] & columns).flatten()


def by_clock(x, is_low, start):
    """x (2, heads, L, D) at two clocks, the same for both: tokens from `start` on that are low have
    the second. The rest has the first if anything has."""
    second = is_low.all().repeat(x.shape[2])
    second[start : start + len(is_low)] = is_low
    return torch.where(second[:, None], x[-1:], x[:1]).expand_as(x)


def turned(x, table):
    """x (B, heads, L, D) rotated by a table (1, 1, L, D / 2, 2, 2)."""
    pairs = x.float().unflatten(-1, (-1, 2))
    return (table.expand(*x.shape[:2], *table.shape[2:]) @ pairs.unsqueeze(-1)).flatten(-3)
