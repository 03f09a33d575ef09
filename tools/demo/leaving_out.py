"""Prompts that leave much open: what is left of a scene's words when some are not said."""

from __future__ import annotations

import torch
from torch import Tensor

from fresco_core.demo.scene import NOTHING, slots_of
from fresco_core.demo.vocabulary import Vocabulary

EMPTY_SHARE = 0.15
"""Of prompts that say nothing, for classifier-free guidance."""
WHOLE_SHARE = 0.15
"""Of prompts that say everything."""
FAMILY_SHARE = 0.5
"""Of names left out, those that the object's family takes the place of."""


def leave_out(
    ids: Tensor, vocabulary: Vocabulary, random: torch.Generator, rate: float | None = None
) -> Tensor:
    """Ids (B, columns) of an open vocabulary with words left out, 0 in their place.

    Each prompt draws a rate between 0 and 1, or has the given one, and each of its words is left out with
    that chance, a name half the time for its family's. Without a given rate, EMPTY_SHARE of the prompts are
    empty and WHOLE_SHARE whole.
    """
    count = len(ids)
    if rate is None:
        draw = torch.rand(count, 2, generator=random)
        rates = draw[:, :1].clone()
        rates[draw[:, 1] < EMPTY_SHARE + WHOLE_SHARE] = 0.0
        empty = draw[:, 1] < EMPTY_SHARE
    else:
        rates = torch.full((count, 1), rate)
        empty = torch.zeros(count, dtype=torch.bool)
    gone = (torch.rand(ids.shape, generator=random) < rates).to(ids.device)
    left = ids.masked_fill(gone, NOTHING)
    names, said = slots_of(ids)[..., 0], slots_of(left)
    families = torch.tensor(vocabulary.family_ids(), device=ids.device)[names]
    general = (torch.rand(names.shape, generator=random) < FAMILY_SHARE).to(ids.device)
    said[..., 0] = torch.where((said[..., 0] == NOTHING) & general, families, said[..., 0])
    return left.masked_fill(empty[:, None].to(ids.device), NOTHING)
