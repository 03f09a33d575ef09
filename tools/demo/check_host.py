"""Compare the demo model with the host's own classes on the same weights, loaded by the host's stock loaders,
and let the host draw pictures with it.

HOST/.venv/bin/python -m tools.demo.check_host --host HOST --weights FOLDER
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import sys
from pathlib import Path

import numpy as np
import torch

from fresco_core.demo.autoencoder import DOWNSCALE
from fresco_core.demo.classifier import fidelity
from fresco_core.demo.random_scenes import draw_scene
from fresco_core.demo.scene import scene_ids
from fresco_core.demo.weights import TRANSFORMER, VAE, load_classifier, load_demo

log = logging.getLogger(__name__)


def main() -> None:
    """Log the largest differences of velocity, prediction, encoding and decoding."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--host", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--count", type=int, default=16, help="pictures that the host draws")
    parser.add_argument("--steps", type=int, default=20)
    args = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    log.setLevel(logging.INFO)
    sys.path.insert(0, str(args.host))
    from comfy.cli_args import args as host_args

    host_args.cpu = True
    import comfy.model_management
    import comfy.sd
    import comfy.utils

    demo = load_demo(args.weights)
    patcher = comfy.sd.load_diffusion_model(str(args.weights / TRANSFORMER))
    comfy.model_management.load_models_gpu([patcher])
    host = patcher.model
    random = torch.Generator().manual_seed(0)
    side = demo.vocabulary.picture_side // DOWNSCALE
    x = torch.randn(2, 16, side, side, generator=random)
    sigma = torch.tensor([0.9, 0.3])
    context, pooled = demo.prompt.encode(["", "on red checks"])
    with torch.no_grad():
        ours = demo.transformer(x, sigma, context, pooled)
        theirs = host.diffusion_model(x, sigma, context=context, y=pooled, guidance=None)
        log.info(
            "%s, latent format %s, sampling %s, inference dtype %s",
            type(host.diffusion_model).__name__,
            type(host.latent_format).__name__,
            type(host.model_sampling).__mro__[1:3],
            host.get_dtype(),
        )
        log.info(
            "velocity: largest difference %.2e of values up to %.2f",
            (ours - theirs).abs().max(),
            ours.abs().max(),
        )
        clean = host.apply_model(x, sigma, c_crossattn=context, y=pooled)
        expected = x - sigma[:, None, None, None] * ours
        log.info(
            "prediction: largest difference %.2e of values up to %.2f",
            (clean - expected).abs().max(),
            expected.abs().max(),
        )

        vae = comfy.sd.VAE(sd=comfy.utils.load_torch_file(str(args.weights / VAE)))
        log.info("VAE: %d latent channels, dtype %s", vae.latent_channels, vae.vae_dtype)
        image = torch.rand(1, 64, 96, 3, generator=random)
        raw = vae.encode(image)
        latents = demo.autoencoder.encode(image.movedim(-1, 1))
        log.info("encoding: largest difference %.2e", (host.process_latent_in(raw) - latents).abs().max())
        picture = vae.decode(host.process_latent_out(latents))
        log.info(
            "decoding: largest difference %.2e",
            (picture.movedim(-1, 1) - demo.autoencoder.decode(latents).clamp(0, 1)).abs().max(),
        )

    import comfy.sample

    vocabulary = demo.vocabulary
    scenes = [draw_scene(vocabulary, np.random.default_rng((7, index))) for index in range(args.count)]
    context, pooled = demo.prompt.encode([scene.prompt(vocabulary) for scene in scenes])
    without, plain = demo.prompt.encode([""] * args.count)
    latent = torch.zeros(args.count, 16, side, side)
    drawn = comfy.sample.sample(
        patcher,
        comfy.sample.prepare_noise(latent, 0),
        args.steps,
        1.0,
        "euler",
        "simple",
        [[context, {"pooled_output": pooled}]],
        [[without, {"pooled_output": plain}]],
        latent,
        seed=0,
    )
    with torch.no_grad():
        reading = load_classifier(args.weights)(vae.decode(drawn).movedim(-1, 1))
    marks = dataclasses.asdict(fidelity(reading, scene_ids(scenes, vocabulary), vocabulary))
    log.info("%d pictures drawn by the host in %d steps: %s", args.count, args.steps, json.dumps(marks))


if __name__ == "__main__":
    main()
