"""What a network is called with, and networks that predict one thing only."""

from contextlib import contextmanager

import torch


@contextmanager
def network_calls(model):
    """Yields a list that fills with (shape of input, first timestep) of every call of a model's network."""
    seen = []

    def note(_network, args, kwargs):
        x, timestep = (
            args[place] if len(args) > place else next(kwargs[n] for n in names if n in kwargs)
            for place, names in ((0, ("x",)), (1, ("timestep", "timesteps", "t")))
        )
        seen.append((tuple(x.shape), float(torch.as_tensor(timestep).flatten()[0])))

    handle = model.diffusion_model.register_forward_pre_hook(note, with_kwargs=True)
    try:
        yield seen
    finally:
        handle.remove()


def knowing(patcher, clean):
    """A clone whose every prediction is `clean`: what is left of the noise is the sampler's."""
    patcher = patcher.clone()
    patcher.model_options["sampler_calc_cond_batch_function"] = lambda args: [
        clean.to(args["input"]).expand_as(args["input"]).clone() for _ in args["conds"]
    ]
    return patcher


def step_told(args, at):
    """The one step of a run that functions of the guidance find themselves in at a sigma (B,)."""
    sigmas = args["model_options"]["transformer_options"]["sample_sigmas"]
    found = (sigmas == at[0]).nonzero()
    assert len(found) == 1 and bool((sigmas[:-1] > sigmas[1:]).all())
    return int(found)


def leaving_out_the_first_step(patcher, left_out):
    """A clone whose guidance leaves out a run's first step, as CFG-Zero does, and notes its sigma."""

    def guidance(args):
        if step_told(args, args["timestep"]) == 0:
            left_out.append(float(args["timestep"][0]))
            return args["cond"] * 0
        return args["uncond"] + args["cond_scale"] * (args["cond"] - args["uncond"])

    patcher = patcher.clone()
    patcher.set_model_sampler_cfg_function(guidance)
    return patcher


def warnings(caplog):
    """What Fresco has warned of."""
    return [r.message for r in caplog.records if r.levelname == "WARNING" and r.message.startswith("Fresco")]
