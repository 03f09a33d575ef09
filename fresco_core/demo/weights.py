"""Read and write the weights of the demo models.

Each is four files: `demo_transformer.safetensors` and `demo_vae.safetensors`, which the host's stock loaders
take, `demo_prompt.safetensors` and `demo_classifier.safetensors`, with the vocabulary in their metadata.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from .autoencoder import TinyAutoencoder
from .classifier import SceneClassifier
from .prompt import PromptEncoder
from .transformer import DemoTransformer
from .vocabulary import Vocabulary

FOLDER = Path(__file__).parent / "weights"
FOLDERS = {"detailed": FOLDER, "short": FOLDER / "open"}
"""Where the models in the box are, by the prompts that they are for."""
TRANSFORMER, VAE, PROMPT, CLASSIFIER = (
    f"demo_{part}.safetensors" for part in ("transformer", "vae", "prompt", "classifier")
)


@dataclass(frozen=True)
class DemoWeights:
    """The models, in float32 and evaluation mode, on the CPU."""

    transformer: DemoTransformer
    autoencoder: TinyAutoencoder
    prompt: PromptEncoder

    @property
    def vocabulary(self) -> Vocabulary:
        """Words that prompts may use."""
        return self.prompt.vocabulary


def _find(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise FileNotFoundError(
            f"The demo's weights are not here: {path} is missing. See {FOLDER / 'README.md'}."
        )
    return path


def load_demo(folder: Path = FOLDER) -> DemoWeights:
    """Transformer, autoencoder and prompt encoder.

    Raises:
        FileNotFoundError: a file is missing.
    """
    transformer, autoencoder = (load_file(_find(folder, name)) for name in (TRANSFORMER, VAE))
    return DemoWeights(
        DemoTransformer.from_weights(transformer).train(False).requires_grad_(False),
        TinyAutoencoder.from_layout(autoencoder).train(False).requires_grad_(False),
        load_prompt_encoder(folder),
    )


def load_prompt_encoder(folder: Path = FOLDER) -> PromptEncoder:
    """The prompt encoder with its vocabulary."""
    vocabulary, weights = _with_vocabulary(_find(folder, PROMPT))
    context_size = weights["tables.0.weight"].shape[1]
    model = PromptEncoder(vocabulary, context_size, weights["pool.2.weight"].shape[0])
    model.load_state_dict(weights)
    return model.train(False).requires_grad_(False)


def load_classifier(folder: Path = FOLDER) -> SceneClassifier:
    """The judge with its vocabulary."""
    vocabulary, weights = _with_vocabulary(_find(folder, CLASSIFIER))
    model = SceneClassifier(vocabulary)
    model.load_state_dict(weights)
    return model.train(False).requires_grad_(False)


def _with_vocabulary(path: Path) -> tuple[Vocabulary, dict[str, Tensor]]:
    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
    if "vocabulary" not in metadata:
        raise ValueError(f"{path} carries no vocabulary in its metadata; it is not a file of this pack.")
    weights = {key: value.float() for key, value in load_file(path).items()}
    return Vocabulary.from_json(metadata["vocabulary"]), weights


def save_weights(
    path: Path,
    weights: dict[str, Tensor],
    vocabulary: Vocabulary | None = None,
    dtype: torch.dtype = torch.float16,
) -> None:
    """Write tensors, matrices and kernels in `dtype`, vectors and single values in float32."""
    path.parent.mkdir(parents=True, exist_ok=True)
    narrow = {
        k: (v.detach().cpu().to(dtype if v.ndim > 1 else torch.float32).contiguous())
        for k, v in weights.items()
    }
    save_file(narrow, path, metadata={"vocabulary": vocabulary.to_json()} if vocabulary else None)
