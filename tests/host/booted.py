"""A booted host to test against: its process, its HTTP and websocket sides, tiny files for its loaders."""

import asyncio
import io
import json
import os
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import aiohttp
import comfy.ldm.flux.model
import comfy.ops
import comfy.sd1_clip
import comfy.taesd.taesd
import safetensors.torch
import tiny
import torch
from PIL import Image

HOST = Path(os.environ.get("COMFYUI_PATH", Path.home() / "ComfyUI")).expanduser()
PACK = Path(__file__).parents[2]
FOLDER = "a-folder-of-any-name"
"""In custom_nodes, with the pack in it."""
KEPT = {
    "version": 1,
    "presets": {"an older one": {"schedule": "draft 1/2 x3; refine 0.9 x3", "model": "demo", "note": ""}},
}
"""What an earlier start of the host has kept."""


def pixels(png):
    return Image.open(io.BytesIO(png)).convert("RGB").tobytes()


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


def install(custom_nodes: Path) -> bool:
    """The registry's archive, unpacked into custom_nodes; gives whether it is, or the checkout itself in its
    place, as without git nobody knows what would be in it."""
    custom_nodes.mkdir()
    packed = custom_nodes.parent / "node.zip"
    made = subprocess.run([sys.executable, "-m", "tools.archive", "--out", packed], cwd=PACK)
    if made.returncode:
        os.symlink(PACK, custom_nodes / FOLDER)
    else:
        with zipfile.ZipFile(packed) as archive:
            archive.extractall(custom_nodes / FOLDER)
    return not made.returncode


class Server:
    """A host that runs, its files under `base`, started with these further options."""

    def __init__(self, base: Path, *options: str):
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
                *options,
            ],
            cwd=HOST,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        deadline = time.time() + 600  # on a machine that does much else
        while True:
            try:
                self.get("/system_stats")
                return
            except (urllib.error.URLError, ConnectionError):
                if self.process.poll() is not None or time.time() > deadline:
                    self.process.terminate()
                    raise RuntimeError("the host did not come up:\n" + self.output()) from None
                time.sleep(0.5)

    def output(self):
        self.log.flush()
        return Path(self.log.name).read_text()[-6000:]

    def get(self, path, raw=False):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as response:
            data = response.read()
        return data if raw else json.loads(data)

    def post(self, prompt):
        """POST /prompt; raises HTTPError for a prompt that the host refuses."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/prompt",
            json.dumps({"prompt": prompt}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.loads(response.read())

    def refusal(self, prompt):
        """What the host says of each node that keeps it from running a prompt: {node: words}."""
        try:
            answer = self.post(prompt)
        except urllib.error.HTTPError as error:
            answer = json.loads(error.read())
        return {
            node: " ".join(error["details"] for error in found["errors"])
            for node, found in answer["node_errors"].items()
        }

    def run(self, prompt):
        """POST /prompt, wait, return the history entry."""
        return self.entry(self.post(prompt)["prompt_id"])

    def entry(self, prompt_id):
        """The history entry of a prompt, which the host writes after the last event about it."""
        for _ in range(600):
            history = self.get(f"/history/{prompt_id}")
            if prompt_id in history:
                return history[prompt_id]
            time.sleep(0.2)
        raise TimeoutError(self.output())

    def watch(self, prompt, interrupt_at=None):
        """Run a prompt as a browser does: (texts by node, progress values by node, names of events, history
        entry)."""
        *seen, prompt_id = asyncio.run(self._watch(prompt, interrupt_at))
        return *seen, self.entry(prompt_id)

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
                        return texts, progress, events, prompt_id
        raise RuntimeError("the host closed the connection:\n" + self.output())

    def picture(self, entry):
        query = "&".join(f"{k}={entry[k]}" for k in ("filename", "subfolder", "type"))
        return self.get(f"/view?{query}", raw=True)
