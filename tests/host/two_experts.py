"""Two experts' models in the host's own two-sampler graph, and joined to one by Fresco Experts."""

from contextlib import ExitStack, contextmanager

import comfy.model_management
import comfy.samplers
import pytest
import tiny
import torch
from comfy_extras.nodes_model_advanced import ModelSamplingSD3

BOUNDARY, STEPS = 0.875, 8


def shifted(patcher, shift=5.0):
    return ModelSamplingSD3().patch(patcher, shift=shift)[0]


def join(high, low, boundary=BOUNDARY):
    from fresco_pack.nodes.experts import FrescoExperts

    return FrescoExperts.execute(high, low, boundary).args[0]


def sigmas_of(patcher, steps=STEPS):
    return comfy.samplers.calculate_sigmas(patcher.get_model_object("model_sampling"), "simple", steps)


def switch_step(patcher, steps=STEPS, boundary=BOUNDARY):
    """The first step that begins below the boundary."""
    return int((sigmas_of(patcher, steps)[:-1] >= boundary).sum())


def run(patcher, model, **settings):
    return tiny.sample(patcher, model, **{"cfg": 3.0, "steps": STEPS, **settings})


def two_samplers(pair, wans, sampler="euler", **settings):
    """The official graph: KSampler Advanced with leftover noise, and one that adds none."""
    at = switch_step(pair[0])
    settings = {"sampler": sampler, "positive": wans[0].positive, "negative": wans[0].negative, **settings}
    high = run(pair[0], wans[0], last_step=at, **settings)
    return run(
        pair[1],
        wans[1],
        start_step=at,
        disable_noise=True,
        force_full_denoise=True,
        latent=high,
        **settings,
    )


@contextmanager
def both_called(wans):
    """Yields a list that fills with (0 for high or 1 for low, sigma) of every call, in order."""
    seen = []

    def noting(which):
        def note(_network, args, kwargs):
            timestep = args[1] if len(args) > 1 else kwargs.get("timestep", kwargs.get("t"))
            seen.append((which, float(timestep.flatten()[0]) / 1000))

        return note

    with ExitStack() as stack:
        for which, model in enumerate(wans):
            handle = model.model.diffusion_model.register_forward_pre_hook(noting(which), with_kwargs=True)
            stack.callback(handle.remove)
        yield seen


@contextmanager
def loads():
    """Yields a list that fills with the models that the host is asked to load, call by call."""
    seen = []
    original = comfy.model_management.load_models_gpu

    def noting(models, *args, **kwargs):
        seen.append(models[0].model)
        return original(models, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comfy.model_management, "load_models_gpu", noting)
        yield seen


def handing_over(sampler, at):
    """The host's sampler, begun anew at a step as two sampler nodes hand a latent over: out of the model's
    scale and back, which rounds."""
    sample = comfy.samplers.sampler_object(sampler).sampler_function

    def in_two(denoise, x, sigmas, extra_args, callback=None, disable=None):
        base = denoise.inner_model.inner_model
        x = sample(denoise, x, sigmas[: at + 1], extra_args=extra_args, callback=callback, disable=disable)
        x = base.process_latent_out(base.model_sampling.inverse_noise_scaling(sigmas[at], x))
        x = base.model_sampling.noise_scaling(sigmas[at], torch.zeros_like(x), base.process_latent_in(x))
        return sample(denoise, x, sigmas[at:], extra_args=extra_args, callback=callback, disable=disable)

    return comfy.samplers.KSAMPLER(in_two)
