"""Fresco Bench, kept presets and the measurement over HTTP on a booted server, with the demo model.

Pictures and the report are kept under out/host/ for looking at.
"""

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from booted import KEPT, pixels
from comfyui_version import __version__

PACK = Path(__file__).parents[2]
OUT = PACK / "out" / "host" / __version__
sys.path.append(str(PACK))  # last: the pack's own nodes/ must not stand before the host's
HALF = "draft 1/2 50%; refine 50%"


@pytest.fixture(scope="module")
def info(server):
    return server.get("/object_info")


def example(**inputs):
    """The shipped graph, smaller."""
    prompt = json.loads((PACK / "workflows" / "api" / "fresco_bench.json").read_text("utf-8"))
    bench = next(node for node in prompt.values() if node["class_type"] == "FrescoBench")
    bench["inputs"].update(steps=4, seeds=2, presets=HALF, **inputs)
    return prompt


def demo(**sampler):
    """A stock graph of the demo model."""
    common = {"cfg": 2.5, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
    links = {"model": ["1", 0], "positive": ["1", 2], "negative": ["1", 3], "latent_image": ["2", 0]}
    nodes = {
        "1": ("FrescoDemoLoader", {"prompt": "a frog top left, a robot right, on blue dots"}),
        "2": ("EmptySD3LatentImage", {"width": 192, "height": 192, "batch_size": 1}),
        "3": ("KSampler", {**links, "seed": 5, "steps": 4, **common, **sampler}),
        "4": ("VAEDecode", {"samples": ["3", 0], "vae": ["1", 1]}),
        "5": ("SaveImage", {"images": ["4", 0], "filename_prefix": "mine"}),
    }
    return {key: {"class_type": kind, "inputs": inputs} for key, (kind, inputs) in nodes.items()}


def saved(prompt, folder):
    """A prompt, or the text of a file, as a file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "graph_api.json"
    file.write_text(prompt if isinstance(prompt, str) else json.dumps(prompt), "utf-8")
    return file


def refused(url, file, capsys):
    """What the command says where it cannot measure."""
    from benchmarks.graph.__main__ import main

    status = main(["--url", url, "--workflow", str(file), "--out", str(file.parent)])
    words = capsys.readouterr()
    assert status == 2 and not (file.parent / "report.html").exists(), words
    return words.err


def drawn(server, prompt):
    """The picture of a prompt, byte for byte without what the file says of its graph."""
    entry = server.run(prompt)
    assert entry["status"]["status_str"] == "success", server.output()
    return pixels(server.picture(entry["outputs"]["5"]["images"][0]))


def url_of(server):
    return f"http://127.0.0.1:{server.port}"


def post(server, **fields):
    request = urllib.request.Request(
        f"{url_of(server)}/fresco/presets", json.dumps(fields).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_the_shipped_graph_gives_pictures_plot_and_recommendation(server):
    texts, progress, events, entry = server.watch(example())
    assert events[-1] == "execution_success", server.output()
    assert texts["3"].startswith("Use "), "the last words on the node"
    values = progress["3"]
    assert [v for v, _ in values] == sorted(v for v, _ in values) and values[-1][0] == values[-1][1]
    shown = entry["outputs"]["3"]
    OUT.mkdir(parents=True, exist_ok=True)
    for name, image in zip(("bench_plot", "bench_pictures"), shown["images"], strict=True):
        (OUT / f"{name}.png").write_bytes(server.picture(image))
    fields = shown["fresco_bench"][0]
    assert {t["name"] for t in fields["trials"]} >= {"plain, 4 steps", HALF}
    assert fields["recommendation"]["sentence"] in shown["text"][0]
    assert "seconds" in entry["outputs"]["4"]["text"][0], "the table"


def test_an_interrupt_ends_a_bench_and_the_next_job_is_as_before(server):
    before = drawn(server, demo(seed=11))
    _, progress, events, _ = server.watch(example(first_seed=77), interrupt_at=3)
    assert events[-1] == "execution_interrupted" and progress["3"][-1][0] < progress["3"][-1][1]
    again = demo(seed=11)
    again["3"]["inputs"]["fresco_run"] = "anew"  # not from the cache
    assert drawn(server, again) == before


def test_a_kept_preset_is_a_choice_of_every_node_and_survives_a_restart(server):
    status, listed = post(server, name="my frogs", schedule=HALF, model="demo")
    assert status == 200 and listed["names"][-1] == "my frogs"
    assert server.get("/fresco/presets") == listed
    assert post(server, name="balanced", schedule=HALF)[0] == 400

    def choices(running, node):
        spec = running.get(f"/object_info/{node}")[node]["input"]["required"]["preset"]
        return spec[0] if isinstance(spec[0], list) else spec[1]["options"]

    assert "my frogs" in choices(server, "FrescoKSampler") and "my frogs" in choices(server, "FrescoSchedule")
    prompts = []
    for kind, values in (
        ("FrescoKSampler", {"schedule": "", "preset": "my frogs"}),
        ("FrescoKSampler", {"schedule": HALF, "preset": "off"}),
    ):
        prompt = demo(**values)
        prompt["3"]["class_type"] = kind
        prompts.append(prompt)
    applied = demo(model=["6", 0])
    applied["6"] = {"class_type": "FrescoApply", "inputs": {"model": ["1", 0], "schedule": "my frogs"}}
    pictures = [drawn(server, prompt) for prompt in (*prompts, applied)]
    assert pictures[0] == pictures[1] == pictures[2]
    (earlier,) = KEPT["presets"]
    assert earlier in choices(server, "FrescoKSampler"), "kept before the host was started"
    kept = json.loads((server.base / "user" / "default" / "fresco_presets.json").read_text("utf-8"))
    assert kept["presets"].pop("my frogs") == {**KEPT["presets"][earlier], "schedule": HALF}
    assert kept == KEPT, "and in the same form"
    assert post(server, name="my frogs", do="forget")[0] == 200
    assert "my frogs" not in choices(server, "FrescoKSampler")
    refused = server.refusal(prompts[0])
    assert "my frogs" in refused["3"]


@pytest.mark.newest
def test_the_command_measures_a_stock_graph_and_writes_a_page_that_needs_nothing(server):
    folder = OUT / "graph"
    file = saved(demo(), folder)
    command = [sys.executable, "-m", "benchmarks.graph", "--url", url_of(server), "--workflow", file]
    (earlier,) = KEPT["presets"]
    command += ["--out", folder, "--seeds", "2", "--presets", earlier, HALF]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=PACK, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Use ") and "plain, 4 steps" in done.stdout
    fields = json.loads((folder / "report.json").read_text("utf-8"))
    trials = {t["name"]: t for t in fields["trials"]}
    assert set(trials) >= {"plain, 4 steps", earlier, HALF}
    assert "sets 6 steps" in trials[earlier]["note"] and not trials[earlier]["seconds"]
    assert all(0.01 < s < 300 for t in trials.values() for s in t["seconds"])
    assert len(trials["plain, 4 steps"]["seconds"]) == 1 and len(trials[HALF]["psnr"]) == 2
    plain, own = (json.loads(json.dumps(demo(seed=6))) for _ in range(2))
    own["6"] = {"class_type": "FrescoApply", "inputs": {"model": ["1", 0], "schedule": HALF}}
    own["3"]["inputs"]["model"] = ["6", 0]
    assert trials[HALF]["psnr"][1] == pytest.approx(ratio(server, plain, own), abs=1e-2)
    page = (folder / "report.html").read_text("utf-8")
    # plain with fewer steps is there only where the seconds of this run call for it
    seen = re.findall(r"<h3>(.*?)</h3>", page)
    assert {"plain, 4 steps", HALF} <= set(seen) and "data:image/png" in page
    assert page.count("<figure>") == 2 * len(seen), "each with both seeds"
    outside = re.findall(r"""(?:src|href)=["'](?!data:)[^"']*|url\(|https?://""", page)
    assert outside == [], "self-contained"
    assert __version__ in page and "graph_api.json" in page


def ratio(server, plain, own):
    """PSNR by kornia of the pictures of two prompts."""
    import io

    import kornia.metrics
    import numpy as np
    import torch
    from PIL import Image

    found = []
    for prompt in (plain, own):
        picture = Image.open(io.BytesIO(server.picture(server.run(prompt)["outputs"]["5"]["images"][0])))
        found.append(torch.from_numpy(np.array(picture.convert("RGB"))).float() / 255)
    return float(kornia.metrics.psnr(*found, 1.0))


def test_seconds_are_never_those_of_the_hosts_cache(server, info):
    from benchmarks.graph import CannotRun
    from benchmarks.graph.graph import Graph
    from benchmarks.graph.measure import Measurement
    from benchmarks.graph.server import Server as Remote

    remote, graph = Remote(url_of(server)), Graph(demo(), info)
    measurement = Measurement(remote, graph, [], 1, lambda words: None)
    first, second, cached = (remote.run(graph.variant(None, 0, None, mark)) for mark in ("a", "b", "b"))
    for job in (first, second):
        seconds = measurement._sampling_seconds(job)
        assert 0.0 < seconds <= job.whole + 0.1, "part of the job, by the server's own clock"
    assert "1" in second.cached, "what has not changed is not done again"
    with pytest.raises(CannotRun, match="did not sample node 3 anew"):
        measurement._sampling_seconds(cached)


@pytest.mark.parametrize(
    "prompt,words",
    [
        ("{", "is no JSON"),
        ('{"nodes": [], "links": []}', r"as the browser saves it.*Export \(API\)"),
        ("[1]", "no graph in API format"),
        (
            {"1": {"class_type": "FrescoDemoLoader", "inputs": {"prompt": "a frog"}}},
            "nothing in the graph is shown or saved",
        ),
        (
            {
                "1": {"class_type": "LoadImage", "inputs": {"image": "a.png"}},
                "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
            },
            "no sampler was found",
        ),
        ({"1": {"class_type": "Unheard", "inputs": {}}}, "the server has no node Unheard"),
        (demo(sampler_name="best"), "refused /prompt.*node 3 .KSampler.*best"),
        (demo(latent_image=["1", 9]), "refused /prompt"),
    ],
    ids=["no JSON", "browser", "list", "no output", "no sampler", "unknown node", "refused", "bad link"],
)
def test_what_cannot_be_measured_is_told(server, tmp_path, capsys, prompt, words):
    said = refused(url_of(server), saved(prompt, tmp_path), capsys)
    assert re.search(words, said, re.DOTALL), said


def test_a_run_that_failed_names_its_node(server, tmp_path, capsys):
    prompt = demo()
    prompt["1"]["inputs"]["prompt"] = "a frogg on blue dots"
    said = refused(url_of(server), saved(prompt, tmp_path), capsys)
    assert re.search("node 1 .FrescoDemoLoader. failed.*Nearest known", said, re.DOTALL)


def test_a_missing_server_and_a_missing_file_are_told(tmp_path, capsys):
    nobody = "http://127.0.0.1:9"
    said = refused(nobody, saved(demo(), tmp_path), capsys)
    assert f"no server answers at {nobody}" in said
    assert "the workflow cannot be read" in refused(nobody, tmp_path / "none.json", capsys)
