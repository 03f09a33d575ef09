"""Focus steps by hand: the host's own forward of the whole canvas, whose attention sees old keys and values.

Nothing of the pack is used. Every token goes through the model; in each attention over the picture, tokens
that are not queried have the keys and values of their last evaluation instead of their own. What the host
pads the picture with counts as not queried.
"""

import torch
import torch.nn.functional as F
from mixed_reference import conditions

REFERENCES = ("flux_kontext", "qwen_edit", "krea2_edit")  # of the canvas's size, behind the picture
PADDED = {"z_image": 32}


class KeptByHand:
    """One model whose canvases (B, C, [T,] H, W) are looked at one after the other."""

    def __init__(self, model):
        self.model = model
        self.kept = {}

    def look(self, x, mask, sigma):
        """The prediction of x at sigma, right where mask (B, T, rows, columns) is True."""
        tail = mask[0].numel() * (self.model.name in REFERENCES)
        padding = -mask[0].numel() % PADDED.get(self.model.name, 1)
        queried = F.pad(mask.flatten(1), (0, padding))[:, None, :, None]
        tokens, block = queried.shape[2], 0

        def attend(func, q, k, v, heads, *args, **kwargs):
            nonlocal block
            start = k.shape[-2] - tail - tokens
            if start >= 0 and q.shape[-2] == k.shape[-2]:
                image = [y.view(len(y), -1, *y.shape[-2:])[:, :, start : start + tokens] for y in (k, v)]
                old = self.kept.get(block, image)
                self.kept[block] = [torch.where(queried, *both) for both in zip(image, old)]
                k, v = k.clone(), v.clone()
                for y, new in zip((k, v), self.kept[block]):
                    y.view(len(y), -1, *y.shape[-2:])[:, :, start : start + tokens] = new
                block += 1
            return func(q, k, v, heads, *args, **kwargs)

        batch = len(x)
        with torch.inference_mode():
            return self.model.model.apply_model(
                x,
                torch.full((batch,), sigma),
                transformer_options={"optimized_attention_override": attend},
                **conditions(self.model, batch),
            )
