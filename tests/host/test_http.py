"""The main job on a booted server: the shipped API workflow through POST /prompt, with tiny files in place of
FLUX's.

Pictures and heatmaps are kept under out/host/ for looking at.
"""

import asyncio
import io
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import aiohttp
import comfy.ldm.flux.model
import comfy.ops
import comfy.sd1_clip
import comfy.taesd.taesd
import pytest
import safetensors.torch
import tiny
import torch
from comfyui_version import __version__
from PIL import Image

PACK = Path(__file__).parents[2]
HOST = Path(os.environ.get("COMFYUI_PATH", Path.home() / "ComfyUI")).expanduser()
OUT = PACK / "out" / "host" / __version__
NODES = {"FrescoApply", "FrescoKSampler", "FrescoSchedule", "FrescoConvergence", "FrescoDemoLoader"}


def save_tiny_files(models: Path):
    """A FLUX-layout transformer, a 16-channel tiny autoencoder and a CLIP-L, all random, for the stock
    loaders."""
    for folder in ("diffusion_models", "vae", "text_encoders"):
        (models / folder).mkdir(parents=True)
    unet = comfy.ldm.flux.model.Flux(
        image_model="flux",
        in_channels=16,
        out_channels=16,
        patch_size=2,
        vec_in_dim=768,
        context_in_dim=768,
        hidden_size=128,
        mlp_ratio=4.0,
        num_heads=1,
        depth=1,
        depth_single_blocks=1,
        axes_dim=[16, 56, 56],
        theta=10000,
        qkv_bias=True,
        guidance_embed=True,
        txt_ids_dims=[],
        dtype=torch.float32,
        operations=comfy.ops.manual_cast,
    )
    tiny.fill(unet, 0)
    safetensors.torch.save_file(unet.state_dict(), models / "diffusion_models" / "tiny_flux.safetensors")
    vae = comfy.taesd.taesd.TAESD(latent_channels=16)
    tiny.fill(vae, 1)
    last = list(vae.taesd_decoder.children())[-1]
    last.weight.data *= 8.0  # around mid grey and with contrast, so that there is something to see
    last.bias.data.fill_(0.5)
    safetensors.torch.save_file(
        {k: v.contiguous() for k, v in vae.state_dict().items()}, models / "vae" / "tiny_vae.safetensors"
    )
    clip = comfy.sd1_clip.SDClipModel(device="cpu", dtype=torch.float16).transformer
    generator = torch.Generator().manual_seed(1)
    state = {
        k: (torch.randn(v.shape, generator=generator) * 0.02).half()
        for k, v in clip.state_dict().items()
        if not k.startswith("text_projection")
    }
    safetensors.torch.save_file(state, models / "text_encoders" / "tiny_clip.safetensors")


class Server:
    def __init__(self, base: Path):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.log = (base / "server.log").open("w+")
        self.process = subprocess.Popen(
            [
                sys.executable,
                "main.py",
                "--cpu",
                "--base-directory",
                base,
                "--port",
                str(self.port),
                "--disable-api-nodes",
                "--disable-auto-launch",
                "--database-url",
                f"sqlite:///{base}/comfyui.db",
            ],
            cwd=HOST,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        deadline = time.time() + 180
        while True:
            try:
                self.get("/system_stats")
                return
            except (urllib.error.URLError, ConnectionError):
                if self.process.poll() is not None or time.time() > deadline:
                    raise RuntimeError("the host did not come up:\n" + self.output()) from None
                time.sleep(0.5)

    def output(self):
        self.log.flush()
        return Path(self.log.name).read_text()[-6000:]

    def get(self, path, raw=False):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as response:
            data = response.read()
        return data if raw else json.loads(data)

    def run(self, prompt):
        """POST /prompt, wait, return the history entry."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/prompt",
            json.dumps({"prompt": prompt}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            prompt_id = json.loads(response.read())["prompt_id"]
        for _ in range(600):
            history = self.get(f"/history/{prompt_id}")
            if prompt_id in history:
                return history[prompt_id]
            time.sleep(0.2)
        raise TimeoutError(self.output())

    def watch(self, prompt, interrupt_at=None):
        """Run a prompt as a browser does: (texts by node, progress values by node, names of events)."""
        return asyncio.run(self._watch(prompt, interrupt_at))

    async def _watch(self, prompt, interrupt_at):
        texts, progress, events = {}, {}, []
        root = f"http://127.0.0.1:{self.port}"
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{root}/ws?clientId=watcher") as socket,
        ):
            async with session.post(
                f"{root}/prompt", json={"prompt": prompt, "client_id": "watcher"}
            ) as reply:
                prompt_id = (await reply.json())["prompt_id"]
            async for message in socket:
                if message.type == aiohttp.WSMsgType.BINARY:
                    kind, length = struct.unpack(">II", message.data[:8])
                    if kind == 3:  # text for a node
                        texts[message.data[8 : 8 + length].decode()] = message.data[8 + length :].decode()
                    continue
                event = json.loads(message.data)
                data = event["data"]
                if event["type"] == "progress":
                    progress.setdefault(data["node"], []).append((data["value"], data["max"]))
                    if interrupt_at is not None and data["value"] >= interrupt_at:
                        await session.post(f"{root}/interrupt")
                        interrupt_at = None
                if data.get("prompt_id") == prompt_id and event["type"].startswith("execution_"):
                    events.append(event["type"])
                    if event["type"] in ("execution_success", "execution_error", "execution_interrupted"):
                        return texts, progress, events
        raise RuntimeError("the host closed the connection:\n" + self.output())

    def picture(self, entry):
        query = "&".join(f"{k}={entry[k]}" for k in ("filename", "subfolder", "type"))
        return self.get(f"/view?{query}", raw=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    base = tmp_path_factory.mktemp("host")
    (base / "custom_nodes").mkdir()
    os.symlink(PACK, base / "custom_nodes" / "a-folder-of-any-name")
    save_tiny_files(base / "models")
    running = Server(base)
    yield running
    running.process.terminate()
    running.process.wait(30)
    shutil.rmtree(base / "models")


def workflow(**sampler):
    """The shipped workflow with tiny files instead of FLUX's and a canvas of 256x256."""
    prompt = json.loads((PACK / "workflows" / "api" / "fresco_flux.json").read_text())
    prompt["1"]["inputs"]["unet_name"] = "tiny_flux.safetensors"
    prompt["2"] = {
        "class_type": "CLIPLoader",
        "inputs": {"clip_name": "tiny_clip.safetensors", "type": "stable_diffusion"},
    }
    prompt["3"]["inputs"]["vae_name"] = "tiny_vae.safetensors"
    prompt["7"]["inputs"].update(width=256, height=256)
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
    assert ours[: len(stock)] == stock and ours[len(stock) :] == ["schedule", "preset", "detail"]


def test_shipped_workflow_finishes_with_picture_and_heatmap(server):
    entry = server.run(workflow())
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
    assert [r["level"] for r in rows] == [1] * 12 + [0] * 8
    assert [r["tokens"] for r in rows] == [64] * 12 + [256] * 8
    assert "12 at 1/2 resolution (64 tokens)" in outputs["8"]["text"][0]


def test_the_demo_workflow_draws_what_its_prompt_says(server):
    """The trained model through the stock loaders, judged by the classifier that was trained beside it."""
    from fresco_pack.fresco_core.demo.classifier import fidelity
    from fresco_pack.fresco_core.demo.scenes import parse, scene_ids
    from fresco_pack.fresco_core.demo.weights import load_classifier

    prompt = json.loads((PACK / "workflows" / "api" / "fresco_demo.json").read_text())
    entry = server.run(prompt)
    assert entry["status"]["status_str"] == "success", server.output()
    pictures = [server.picture(image) for image in entry["outputs"]["5"]["images"]]
    heatmaps = [server.picture(image) for image in entry["outputs"]["6"]["images"]]
    OUT.mkdir(parents=True, exist_ok=True)
    for index, picture in enumerate(pictures):
        (OUT / f"demo_{index}.png").write_bytes(picture)
    (OUT / "demo_heatmap.png").write_bytes(heatmaps[0])
    values = [
        torch.frombuffer(bytearray(pixels(p)), dtype=torch.uint8).reshape(192, 192, 3) for p in pictures
    ]
    images = torch.stack(values).movedim(-1, 1).float() / 255.0
    classifier = load_classifier()
    ids = scene_ids(
        [parse(prompt["1"]["inputs"]["prompt"], classifier.vocabulary)] * 4, classifier.vocabulary
    )
    with torch.no_grad():
        judged = fidelity(classifier(images), ids)
    print(judged)
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
                "inputs": {"model": ["1", 0], "schedule": ["8", 0], "detail": "smooth"},
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
                    "schedule": "draft 1/2 60%; refine 0.75 40%",
                    "detail": "smooth",
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
        }
    )
    entry = server.run(prompt)
    assert entry["status"]["status_str"] == "success", server.output()
    pictures = [pixels(server.picture(entry["outputs"][node]["images"][0])) for node in ("11", "26", "30")]
    assert pictures[0] == pictures[1] == pictures[2]


def test_the_browser_sees_the_plan_and_one_progress_bar(server):
    texts, progress, events = server.watch(workflow(seed=21))
    assert events[-1] == "execution_success"
    assert "pass 2: sigma 0.75 to 0, 8 at full resolution (256 tokens)" in texts["8"]
    values = progress["9"]
    assert values[-1] == (20, 20) and {total for _, total in values} == {20}
    assert values == sorted(values)


def test_an_interrupted_run_leaves_the_next_one_as_it_was(server):
    before = pixels(server.picture(server.run(workflow(seed=22))["outputs"]["11"]["images"][0]))
    long = workflow(seed=23, steps=400)
    _, progress, events = server.watch(long, interrupt_at=5)
    assert events[-1] == "execution_interrupted" and progress["9"][-1][0] < 400
    entry = server.run(workflow(seed=23))
    assert entry["status"]["status_str"] == "success"
    again = workflow(seed=22)
    again["11"]["inputs"]["filename_prefix"] = "again"
    again["9"]["inputs"]["steps"] = 20
    after = pixels(server.picture(server.run(again)["outputs"]["11"]["images"][0]))
    assert before == after


def pixels(png):
    return Image.open(io.BytesIO(png)).convert("RGB").tobytes()


@pytest.mark.parametrize(
    "change,words",
    [
        ({"schedule": "draf 1/2; refine 0.75"}, "did you mean 'draft'"),
        ({"schedule": "1/2 x4"}, "never becomes full"),
        ({"schedule": "draft 1/2 x4; refine 0.75 x4"}, "sets 8 steps, but the sampler has 20"),
    ],
)
def test_a_bad_schedule_is_explained_on_the_node(server, change, words):
    entry = server.run(workflow(**change))
    assert entry["status"]["status_str"] == "error"
    errors = [data for kind, data in entry["status"]["messages"] if kind == "execution_error"]
    assert errors[0]["node_type"] == "FrescoKSampler" and words in errors[0]["exception_message"]


def test_a_trace_from_another_run_is_refused(server):
    prompt = workflow()
    prompt["31"] = json.loads(json.dumps(prompt["9"]))
    prompt["31"]["inputs"]["seed"] = 8
    prompt["12"]["inputs"]["samples"] = ["31", 0]
    entry = server.run(prompt)
    errors = [data for kind, data in entry["status"]["messages"] if kind == "execution_error"]
    assert errors and "another run" in errors[0]["exception_message"]


def test_sigmas_without_a_model_say_what_to_connect(server):
    prompt = workflow(seed=12)
    del prompt["8"]["inputs"]["model"]
    prompt["32"] = {"class_type": "FlipSigmas", "inputs": {"sigmas": ["8", 1]}}
    prompt["33"] = {"class_type": "PreviewAny", "inputs": {"source": ["32", 0]}}
    entry = server.run(prompt)
    assert "33" not in entry["outputs"] and "11" in entry["outputs"], "only what hangs on SIGMAS is blocked"
    from comfy_execution.graph_utils import ExecutionBlocker
    from fresco_pack.nodes.schedule_node import FrescoSchedule

    blocked = FrescoSchedule.execute("balanced", "", "1/2", 0.6, 0.75, 20, "simple").args[1]
    assert isinstance(blocked, ExecutionBlocker) and "connect a model to get SIGMAS" in blocked.message
