"""The demo's networks: shapes, layout, and what must hold for any weights."""

import pytest
import torch

from fresco_core.demo.attention import rotary
from fresco_core.demo.autoencoder import AutoencoderShape, TinyAutoencoder
from fresco_core.demo.classifier import Reading, SceneClassifier, fidelity, places_wanted
from fresco_core.demo.parsing import SceneError, parse
from fresco_core.demo.prompt import PromptEncoder
from fresco_core.demo.scene import scene_ids
from fresco_core.demo.transformer import DemoTransformer, TransformerShape, from_tokens, to_tokens
from fresco_core.demo.vocabulary import SMALL_OBJECTS, Vocabulary
from fresco_core.demo.weights import (
    CLASSIFIER,
    PROMPT,
    load_classifier,
    load_demo,
    load_prompt_encoder,
    save_weights,
)

WORDS = Vocabulary(tuple(SMALL_OBJECTS))
SMALL = TransformerShape(hidden=128, double_blocks=1, single_blocks=2, context_size=24, pooled_size=40)


@pytest.fixture
def transformer():
    """Small, with every weight random, so that no block is the identity."""
    torch.manual_seed(0)
    model = DemoTransformer(SMALL).requires_grad_(False)
    for value in model.parameters():
        value.add_(0.05 * torch.randn_like(value))
    return model


def test_narrow_autoencoder_in_the_wide_layout_computes_the_same():
    torch.manual_seed(0)
    narrow = TinyAutoencoder(AutoencoderShape((8, 8, 16, 16), (0, 1, 0, 2), (8, 16, 16, 16), (1, 0, 1, 2)))
    wide = TinyAutoencoder.from_layout(narrow.to_layout())
    images = torch.rand(2, 3, 40, 24)
    with torch.no_grad():
        latents = narrow.encode(images)
        assert latents.shape == (2, 16, 5, 3)
        torch.testing.assert_close(wide.encode(images), latents)
        torch.testing.assert_close(wide.decode(latents), narrow.decode(latents))
        assert narrow.decode(latents).shape == images.shape


def test_autoencoder_layout_has_what_the_host_looks_for():
    weights = TinyAutoencoder(AutoencoderShape((8, 8, 8, 8), (0, 0, 0, 0))).to_layout()
    assert weights["taesd_decoder.1.weight"].shape == (64, 16, 3, 3)
    assert weights["taesd_encoder.14.weight"].shape == (16, 64, 3, 3)
    assert weights["taesd_decoder.19.weight"].shape == (3, 64, 3, 3)
    assert {"vae_scale", "vae_shift"} < set(weights)


def test_transformer_starts_at_zero_velocity():
    model = DemoTransformer(SMALL)
    x = torch.randn(1, 16, 4, 4)
    assert model(x, torch.ones(1), torch.randn(1, 5, 24), torch.randn(1, 40)).abs().max() == 0


def test_transformer_knows_its_shape_from_its_weights(transformer):
    weights = transformer.state_dict()
    assert TransformerShape.of(weights) == SMALL
    assert weights["double_blocks.0.img_attn.norm.key_norm.scale"].shape == (128,)
    again = DemoTransformer.from_weights(weights)
    x, t, c, y = torch.randn(2, 16, 6, 4), torch.rand(2), torch.randn(2, 5, 24), torch.randn(2, 40)
    with torch.no_grad():
        torch.testing.assert_close(again(x, t, c, y), transformer(x, t, c, y))


def test_hidden_size_is_a_multiple_of_the_head():
    with pytest.raises(ValueError, match="multiple of 128"):
        DemoTransformer(TransformerShape(hidden=192))


def test_transformer_works_sample_by_sample_at_any_even_size(transformer):
    x, t, c, y = torch.randn(3, 16, 4, 8), torch.rand(3), torch.randn(3, 5, 24), torch.randn(3, 40)
    together = transformer(x, t, c, y)
    assert together.shape == x.shape
    for i in range(3):
        alone = transformer(x[i : i + 1], t[i : i + 1], c[i : i + 1], y[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, atol=2e-5, rtol=1e-4)


def test_transformer_does_not_mind_the_order_of_prompt_tokens(transformer):
    x, t, c, y = torch.randn(1, 16, 4, 4), torch.rand(1), torch.randn(1, 5, 24), torch.randn(1, 40)
    torch.testing.assert_close(transformer(x, t, c.flip(1), y), transformer(x, t, c, y), atol=2e-5, rtol=1e-4)


def test_tokens_are_patches_channel_first():
    x = torch.arange(2 * 16 * 4 * 6, dtype=torch.float32).reshape(2, 16, 4, 6)
    tokens = to_tokens(x)
    assert tokens.shape == (2, 6, 64)
    torch.testing.assert_close(tokens[0, 1, :4], x[0, 0, :2, 2:4].flatten())
    torch.testing.assert_close(from_tokens(tokens, 4, 6), x)


def test_rotary_is_the_identity_at_the_origin():
    cos, sin = rotary(torch.tensor([[0.0, 0.0, 0.0], [0.0, 1.0, 2.0]]))
    assert cos.shape == (2, 128)
    assert cos[0].eq(1).all() and sin[0].eq(0).all() and sin[1].abs().max() > 0.5


def test_prompt_encoder_sees_which_object_is_where():
    torch.manual_seed(0)
    encoder = PromptEncoder(WORDS, 24, 40)
    context, pooled = encoder.encode(["a cat left, a frog right", "a frog left, a cat right", ""])
    assert context.shape == (3, encoder.tokens, 24) and pooled.shape == (3, 40)
    assert (context[0] - context[1]).abs().max() > 0.1
    empty, _ = encoder(torch.zeros(1, 11, dtype=torch.int64))
    torch.testing.assert_close(context[2:], empty)
    with pytest.raises(SceneError):
        encoder.encode(["a unicorn"])
    with pytest.raises(ValueError, match="expected"):
        encoder(torch.zeros(1, 4, dtype=torch.int64))


def _perfect(ids):
    wanted = places_wanted(ids)
    objects = torch.nn.functional.one_hot(wanted, len(WORDS.objects) + 1).float()
    sizes = torch.nn.functional.one_hot((wanted > 0).long() * 2, 4).float()
    kinds = torch.nn.functional.one_hot(ids[:, -2] - 1, len(WORDS.kinds)).float()
    colours = torch.nn.functional.one_hot(ids[:, -1] - 1, len(WORDS.colours)).float()
    return Reading(objects, sizes, kinds, colours, torch.zeros(len(ids), 1))


def test_fidelity_counts_what_it_says():
    asked = scene_ids([parse("a cat left, a frog right, on red dots", WORDS)], WORDS)
    whole = fidelity(_perfect(asked), asked)
    assert (whole.objects, whole.places, whole.sizes, whole.spurious, whole.kinds, whole.colours) == (
        1,
        1,
        1,
        0,
        1,
        1,
    )
    drawn = scene_ids([parse("a cat top, a robot right, a star centre, on blue dots", WORDS)], WORDS)
    wrong = fidelity(_perfect(drawn), asked)
    assert wrong.objects == 0.5 and wrong.places == 0 and wrong.spurious == 2
    assert wrong.kinds == 1 and wrong.colours == 0


def test_classifier_reads_any_square_picture():
    reading = SceneClassifier(WORDS)(torch.rand(2, 3, 192, 192))
    assert reading.objects.shape == (2, 9, len(WORDS.objects) + 1)
    assert reading.features.shape == (2, 1280)


def test_weights_travel_with_their_vocabulary(tmp_path):
    encoder, judge = PromptEncoder(WORDS, 24, 40), SceneClassifier(WORDS)
    save_weights(tmp_path / PROMPT, encoder.state_dict(), WORDS, torch.float32)
    save_weights(tmp_path / CLASSIFIER, judge.state_dict(), WORDS, torch.float32)
    again = load_prompt_encoder(tmp_path)
    assert again.vocabulary == WORDS and load_classifier(tmp_path).vocabulary == WORDS
    torch.testing.assert_close(again.encode(["a cat"])[0], encoder.encode(["a cat"])[0])
    with pytest.raises(FileNotFoundError, match="missing"):
        load_demo(tmp_path)


def test_autoencoder_in_the_hosts_layout_computes_the_same_without_its_zeros():
    torch.manual_seed(0)
    shape = AutoencoderShape((16, 32, 64, 64), (0, 1, 2, 3), (16, 32, 64, 48), (1, 2, 3, 3))
    model = TinyAutoencoder(shape)
    again = TinyAutoencoder.from_layout(model.to_layout())
    assert again.shape == shape
    images = torch.rand(1, 3, 32, 32)
    wide = TinyAutoencoder()
    wide.load_state_dict({k: v for k, v in model.to_layout().items() if not k.startswith("vae_")})
    with torch.no_grad():
        assert torch.equal(again.encode(images), model.encode(images))
        torch.testing.assert_close(wide.decode(wide.encode(images)), again.decode(again.encode(images)))
