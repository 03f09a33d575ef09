"""Write the averaged weights as safetensors."""

from __future__ import annotations

import logging

import torch

from fresco_core.demo.autoencoder import TinyAutoencoder
from fresco_core.demo.classifier import SceneClassifier
from fresco_core.demo.weights import CLASSIFIER, PROMPT, TRANSFORMER, VAE, save_weights

from .work import Workplace

log = logging.getLogger(__name__)


def best_autoencoder(work: Workplace) -> TinyAutoencoder:
    """The autoencoder with its decoder as far as it was trained."""
    model = TinyAutoencoder(work.budget.autoencoder_shape)
    names = [name for name in ("decoder.pt", "autoencoder.pt") if work.file(name).exists()]
    model.load_state_dict(torch.load(work.file(names[0]), map_location="cpu")["model"])
    return model.eval()


def trained_classifier(work: Workplace) -> SceneClassifier:
    """The judge."""
    model = SceneClassifier(work.budget.vocabulary())
    model.load_state_dict(torch.load(work.file("classifier.pt"), map_location="cpu")["model"])
    return model.eval()


def export(work: Workplace) -> None:
    """Write the files whose parts are trained into the run's export folder; copying them into the pack is a
    person's decision."""
    from .fit_transformer import DemoModel  # which exports as it trains

    folder = work.export or work.file("weights")
    model = DemoModel(work.budget)
    model.load_state_dict(torch.load(work.file("transformer.pt"), map_location="cpu")["average"])
    vocabulary = work.budget.vocabulary()
    save_weights(folder / TRANSFORMER, model.transformer.state_dict())
    save_weights(folder / PROMPT, model.prompt.state_dict(), vocabulary)
    save_weights(folder / VAE, best_autoencoder(work).to_layout())
    if work.file("classifier.pt").exists():
        save_weights(folder / CLASSIFIER, trained_classifier(work).state_dict(), vocabulary)
    for file in sorted(folder.glob("*.safetensors")):
        log.info("%s: %.2f MB", file, file.stat().st_size / 1e6)
