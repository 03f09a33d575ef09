"""The main job on a booted server: the shipped API workflow through POST /prompt, with tiny files in place of
FLUX's.

Pictures and heatmaps are kept under out/host/ for looking at.
"""

import io
import json
import re
from pathlib import Path

import pytest
import torch
from booted import pixels
from comfyui_version import __version__
from PIL import Image

PACK = Path(__file__).parents[2]
OUT = PACK / "out" / "host" / __version__
NODES = {
    "FrescoApply",
    "FrescoKSampler",
    "FrescoSchedule",
    "FrescoConvergence",
    "FrescoCompare",
    "FrescoDemoLoader",
    "FrescoExperts",
    "FrescoBench",
}


def workflow(**sampler):
    """The shipped workflow with tiny files instead of FLUX's, a canvas of 256x256, and a draft at a quarter,
    which no preset takes FLUX to at that size."""
    prompt = json.loads((PACK / "workflows" / "api" / "fresco_flux.json").read_text())
    prompt["1"]["inputs"]["unet_name"] = "tiny_flux.safetensors"
    prompt["2"] = {
        "class_type": "CLIPLoader",
        "inputs": {"clip_name": "tiny_clip.safetensors", "type": "stable_diffusion"},
    }
    prompt["3"]["inputs"]["vae_name"] = "tiny_vae.safetensors"
    prompt["7"]["inputs"].update(width=256, height=256)
    prompt["8"]["inputs"].update(preset="from text", text="draft 1/4 50%; refine 50% min x3")
    prompt["9"]["inputs"].update(sampler)
    return prompt


def test_every_input_has_a_tooltip(server):
    info = server.get("/object_info")
    assert set(info) >= NODES
    for name in NODES:
        assert info[name]["category"] == "sampling/fresco" and info[name]["description"]
        inputs = {**info[name]["input"].get("required", {}), **info[name]["input"].get("optional", {})}
        for key, spec in inputs.items():
            assert spec[1].get("tooltip"), f"{name}.{key} has no tooltip"
        assert all(info[name]["output_tooltips"])
    stock = list(info["KSampler"]["input"]["required"])
    ours = list(info["FrescoKSampler"]["input"]["required"])
    assert ours[: len(stock)] == stock and ours[len(stock) :] == ["schedule", "preset"]


def test_shipped_workflow_finishes_with_picture_and_heatmap(server):
    prompt = workflow()
    prompt["12"]["inputs"]["gallery"] = True
    entry = server.run(prompt)
    assert entry["status"]["status_str"] == "success", server.output()
    outputs = entry["outputs"]
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "picture.png").write_bytes(server.picture(outputs["11"]["images"][0]))
    heatmaps = outputs["12"]["images"]
    assert len(heatmaps) == 18, "20 evaluations; the first of each pass has no variance yet"
    for index in (0, len(heatmaps) - 1):
        (OUT / f"heatmap_{index}.png").write_bytes(server.picture(heatmaps[index]))
    assert all((OUT / name).read_bytes().startswith(b"\x89PNG") for name in ("picture.png", "heatmap_0.png"))
    rows = outputs["12"]["evaluations"][0]
    assert [r["level"] for r in rows] == [2] * 10 + [0] * 10
    assert [r["tokens"] for r in rows] == [16] * 10 + [256] * 10
    record = json.loads(server.get(f"/view?filename={outputs['12']['run'][0]}&type=temp", raw=True))
    assert record["maps"]["shape"] == [18, 1, 8, 8] and len(outputs["12"]["promotion"]) == 1
    assert record["evaluations"] == rows and len(record["pictures"]) == 1
    (OUT / "promotion.png").write_bytes(server.picture(outputs["12"]["promotion"][0]))
    assert "10 at 1/4 resolution (16 tokens)" in outputs["8"]["text"][0]


def test_the_shipped_preset_keeps_flux_to_its_trained_sizes(server):
    prompt = workflow(seed=31)
    prompt["8"]["inputs"].update(preset="balanced")
    entry = server.run(prompt)
    assert entry["status"]["status_str"] == "success", server.output()
    words = "3/4 of 256x256 is 192x192, below the 0.22 megapixels that FLUX is trained for"
    assert words in entry["outputs"]["8"]["text"][0]
    assert {row["level"] for row in entry["outputs"]["12"]["evaluations"][0]} == {0}


@pytest.mark.parametrize(
    "words,model,side", [(None, None, 192), ("three fruits on stripes", "short", 256), ("", "short", 256)]
)
def test_the_demo_workflow_draws_what_its_prompt_says(server, words, model, side):
    """The trained models through the stock loaders, judged by the classifiers trained beside them."""
    from fresco_pack.fresco_core.demo.classifier import fidelity
    from fresco_pack.fresco_core.demo.parsing import parse
    from fresco_pack.fresco_core.demo.scene import scene_ids
    from fresco_pack.fresco_core.demo.weights import FOLDERS, load_classifier

    prompt = json.loads((PACK / "workflows" / "api" / "fresco_demo.json").read_text())
    if model:
        prompt["1"]["inputs"] |= {"prompt": words, "model": model}
        prompt["2"]["inputs"] |= {"width": side, "height": side}
    else:
        del prompt["1"]["inputs"]["model"]  # as in graphs from before there was a choice
    entry = server.run(prompt)
    assert entry["status"]["status_str"] == "success", server.output()
    pictures = [server.picture(image) for image in entry["outputs"]["5"]["images"]]
    assert "images" not in entry["outputs"]["6"], "no heatmaps in the gallery that were not asked for"
    OUT.mkdir(parents=True, exist_ok=True)
    for index, picture in enumerate(pictures):
        name = "_".join(filter(None, ("demo", model, words, str(index))))
        (OUT / f"{name}.png").write_bytes(picture)
    values = [
        torch.frombuffer(bytearray(pixels(p)), dtype=torch.uint8).reshape(side, side, 3) for p in pictures
    ]
    images = torch.stack(values).movedim(-1, 1).float() / 255.0
    classifier = load_classifier(FOLDERS[model or "detailed"])
    known = classifier.vocabulary
    ids = scene_ids([parse(prompt["1"]["inputs"]["prompt"], known)] * 4, known)
    with torch.no_grad():
        judged = fidelity(classifier(images), ids, known)
    print(judged)
    assert images.std(0).mean() > 0.01, "seeds differ"
    if model:
        assert not words or (judged.objects >= 0.5 and judged.kinds >= 0.75)
        return
    assert judged.objects >= 0.75 and judged.places >= 0.85 and judged.kinds == 1.0 and judged.colours == 1.0


def test_a_prompt_with_unknown_words_names_the_nearest(server):
    prompt = json.loads((PACK / "workflows" / "api" / "fresco_demo.json").read_text())
    prompt["1"]["inputs"]["prompt"] = "a frogg on blue dots"
    entry = server.run(prompt)
    errors = [data for kind, data in entry["status"]["messages"] if kind == "execution_error"]
    assert (
        errors[0]["node_type"] == "FrescoDemoLoader"
        and "Nearest known: 'frog'" in errors[0]["exception_message"]
    )


def test_the_same_through_apply_and_the_custom_sampler(server):
    """FrescoApply, FrescoSchedule's SIGMAS and SamplerCustomAdvanced draw FrescoKSampler's picture, byte for
    byte."""
    prompt = workflow(seed=11)
    prompt.update(
        {
            "20": {
                "class_type": "FrescoApply",
                "inputs": {"model": ["1", 0], "schedule": ["8", 0]},
            },
            "21": {"class_type": "BasicGuider", "inputs": {"model": ["20", 0], "conditioning": ["6", 0]}},
            "22": {"class_type": "RandomNoise", "inputs": {"noise_seed": 11}},
            "23": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler"}},
            "24": {
                "class_type": "SamplerCustomAdvanced",
                "inputs": {
                    "noise": ["22", 0],
                    "guider": ["21", 0],
                    "sampler": ["23", 0],
                    "sigmas": ["8", 1],
                    "latent_image": ["7", 0],
                },
            },
            "25": {"class_type": "VAEDecode", "inputs": {"samples": ["24", 0], "vae": ["3", 0]}},
            "26": {"class_type": "SaveImage", "inputs": {"images": ["25", 0], "filename_prefix": "custom"}},
            "27": {
                "class_type": "FrescoApply",
                "inputs": {
                    "model": ["1", 0],
                    "schedule": "draft 1/4 50%; refine 50% min x3",
                },
            },
            "28": {
                "class_type": "KSampler",
                "inputs": {
                    "model": ["27", 0],
                    "seed": 11,
                    "steps": 20,
                    "cfg": 1.0,
                    "sampler_name": "euler",
                    "scheduler": "simple",
                    "positive": ["6", 0],
                    "negative": ["5", 0],
                    "latent_image": ["7", 0],
                    "denoise": 1.0,
                },
            },
            "29": {"class_type": "VAEDecode", "inputs": {"samples": ["28", 0], "vae": ["3", 0]}},
            "30": {"class_type": "SaveImage", "inputs": {"images": ["29", 0], "filename_prefix": "stock"}},
            "31": {"class_type": "FrescoConvergence", "inputs": {"trace": ["20", 1], "samples": ["24", 0]}},
            "32": {"class_type": "FrescoConvergence", "inputs": {"trace": ["27", 1], "image": ["29", 0]}},
        }
    )
    for key in ("31", "32"):
        prompt[key]["inputs"].update(step=-1, tau=0.01)
    entry = server.run(prompt)
    assert entry["status"]["status_str"] == "success", server.output()
    pictures = [pixels(server.picture(entry["outputs"][node]["images"][0])) for node in ("11", "26", "30")]
    assert pictures[0] == pictures[1] == pictures[2]
    outputs = entry["outputs"]
    rows = [outputs[node]["evaluations"][0] for node in ("12", "31", "32")]
    assert rows[0] == rows[1] == rows[2], "the trace behind any sampler is that of Fresco KSampler"
    assert all("note" not in outputs[node] for node in ("31", "32"))
    texts = Image.open(io.BytesIO(server.picture(outputs["30"]["images"][0]))).text
    saved = json.loads(texts["prompt"])
    assert {key: node["inputs"] for key, node in saved.items()} == {k: n["inputs"] for k, n in prompt.items()}
    (told,) = saved["27"]["_meta"]["fresco"]
    assert told["steps"] == 20 and told["evaluations"] == {"1/4": 10, "full": 10} and told["seconds"] > 0
    assert server.run(saved)["status"]["status_str"] == "success", "what a picture carries runs again"
    prompt["31"]["inputs"]["tau"] = 0.5  # all else is cached: the sampler does not run
    again = server.run(prompt)["outputs"]["31"]
    assert [row["sigma"] for row in again["evaluations"][0]] == [row["sigma"] for row in rows[0]]
    assert "note" not in again


def test_the_browser_sees_the_plan_and_one_progress_bar(server):
    prompt = workflow(seed=21)
    prompt["8"]["inputs"]["text"] = "draft 1/2 50%; refine 50% min x3"  # a node that is not cached
    texts, progress, events, _ = server.watch(prompt)
    assert events[-1] == "execution_success"
    assert re.search(r"pass 2: sigma 0\.\d+ to 0, 10 at full resolution \(256 tokens\)", texts["8"])
    values = progress["9"]
    assert values[-1] == (20, 20) and {total for _, total in values} == {20}
    assert values == sorted(values)


def test_an_interrupted_run_leaves_the_next_one_as_it_was(server):
    before = pixels(server.picture(server.run(workflow(seed=22))["outputs"]["11"]["images"][0]))
    long = workflow(seed=23, steps=400)
    _, progress, events, _ = server.watch(long, interrupt_at=5)
    assert events[-1] == "execution_interrupted" and progress["9"][-1][0] < 400
    entry = server.run(workflow(seed=23))
    assert entry["status"]["status_str"] == "success"
    again = workflow(seed=22)
    again["11"]["inputs"]["filename_prefix"] = "again"
    again["9"]["inputs"]["steps"] = 20
    after = pixels(server.picture(server.run(again)["outputs"]["11"]["images"][0]))
    assert before == after


@pytest.mark.parametrize(
    "line,words",
    [("draf 1/2; refine 0.75", "did you mean 'draft'"), ("full, 1/2 x4", "from coarse to fine")],
)
def test_a_line_that_is_no_schedule_is_explained_on_the_node_before_anything_runs(server, line, words):
    of_sampler = server.refusal(workflow(schedule=line))
    assert (
        list(of_sampler) == ["9"] and words in of_sampler["9"] and of_sampler["9"].startswith("schedule - ")
    )
    prompt = workflow()
    prompt["8"]["inputs"].update(preset="from text", text=line)
    of_schedule = server.refusal(prompt)
    assert list(of_schedule) == ["8"] and words in of_schedule["8"]
    prompt["8"]["inputs"].update(preset="best")
    assert "unknown preset 'best'" in server.refusal(prompt)["8"]
    prompt["34"] = {
        "class_type": "FrescoApply",
        "inputs": {"model": ["1", 0], "schedule": line},
    }
    prompt["9"]["inputs"]["model"] = ["34", 0]
    assert words in server.refusal(prompt)["34"]


def test_a_schedule_that_ends_coarse_is_refused_by_the_sampler_that_ends_clean(server):
    of_sampler = server.refusal(workflow(schedule="1/2 x20"))
    assert list(of_sampler) == ["9"] and "never becomes full" in of_sampler["9"]


def test_a_schedule_that_does_not_fit_the_sampler_is_explained_on_the_node(server):
    prompt, words = workflow(schedule="draft 1/2 x4; refine 0.75 x4"), "sets 8 steps, but the sampler has 20"
    entry = server.run(prompt)
    assert entry["status"]["status_str"] == "error"
    errors = [data for kind, data in entry["status"]["messages"] if kind == "execution_error"]
    assert errors[0]["node_type"] == "FrescoKSampler" and words in errors[0]["exception_message"]
    texts, _, events, _ = server.watch(prompt)
    assert events[-1] == "execution_error" and words in texts["9"], "the node itself says so"


def test_a_trace_from_another_run_is_told_and_costs_no_picture(server):
    prompt = workflow()
    prompt["31"] = json.loads(json.dumps(prompt["9"]))
    prompt["31"]["inputs"]["seed"] = 8
    prompt["12"]["inputs"]["samples"] = ["31", 0]
    entry = server.run(prompt)
    assert "another run" in entry["outputs"]["12"]["note"][0]
    saved = [name for name, made in entry["outputs"].items() if made.get("images")]
    assert saved and "12" not in saved, "the finished picture"


def test_sigmas_without_a_model_say_what_to_connect(server):
    prompt = workflow(seed=12)
    del prompt["8"]["inputs"]["model"]
    prompt["32"] = {"class_type": "FlipSigmas", "inputs": {"sigmas": ["8", 1]}}
    prompt["33"] = {"class_type": "PreviewAny", "inputs": {"source": ["32", 0]}}
    entry = server.run(prompt)
    assert "33" not in entry["outputs"] and "11" in entry["outputs"], "only what hangs on SIGMAS is blocked"
    from comfy_execution.graph_utils import ExecutionBlocker
    from fresco_pack.nodes.schedule import FrescoSchedule

    blocked = FrescoSchedule.execute("balanced", "", "1/2", 0.6, 0.75, 20, "simple").args[1]
    assert isinstance(blocked, ExecutionBlocker) and "connect a model to get SIGMAS" in blocked.message
