"""Compiled models: no more compilations in a run than it has sequence lengths."""

import torch
from torch._dynamo.testing import CompileCounter

from fresco_core.canvas.noise_field import hashed_noise
from fresco_core.canvas.size import Canvas
from fresco_core.demo.subjects import PromptedDenoiser
from fresco_core.demo.transformer import DemoTransformer, TransformerShape
from fresco_core.sampling import flow_sigmas, sample
from fresco_core.schedule.planning import make_plan
from fresco_core.schedule.steps import MAX_LENGTHS
from fresco_core.text.grammar import parse

CANVAS = Canvas(16, 16)


def test_a_mixed_run_compiles_once_a_length():
    """Without a C++ compiler: the counting backend runs what it is given."""
    torch._dynamo.reset()
    shape = TransformerShape(hidden=128, double_blocks=1, single_blocks=1, context_size=8, pooled_size=8)
    model = DemoTransformer(shape).requires_grad_(False)
    for value in model.parameters():
        value.normal_(std=0.05, generator=torch.Generator().manual_seed(0))
    denoise = PromptedDenoiser(model, torch.randn(1, 4, 8), torch.randn(1, 8))
    text = "draft 1/2, mixed 25%..75%; refine 0.9 mixed 10%..90%, full"
    plan = make_plan(parse(text), flow_sigmas(14), CANVAS)
    noise = hashed_noise(0, (1, 16, 16, 16))
    plain = sample(denoise, noise, plan)
    counter = CompileCounter()
    model._run = torch.compile(model._run, backend=counter, dynamic=False, fullgraph=True)
    runs = [sample(denoise, noise, plan) for _ in range(2)]  # the second finds all compiled
    lengths = {tokens for p in plan.passes for tokens in p.tokens(CANVAS)}
    assert 3 < len(lengths) <= MAX_LENGTHS
    assert counter.frame_count == len(lengths)
    for run in runs:
        torch.testing.assert_close(run, plain, atol=1e-4, rtol=1e-4)
