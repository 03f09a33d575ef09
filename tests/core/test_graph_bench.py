"""Graphs in API format, sampled otherwise; websocket frames; what needs no server."""

import copy
import json
import os
import socket
import struct
import threading

import pytest

from benchmarks.graph import CannotRun
from benchmarks.graph.graph import Graph, read_graph
from benchmarks.graph.websocket import WebSocket


def kind(output, **inputs):
    given = {k: [v, {}] for k, v in inputs.items()}
    return {"input": {"required": given}, "output": output, "output_node": not output}


INFO = {
    "Loader": kind(["MODEL", "CLIP", "VAE"]),
    "Lora": kind(["MODEL"], model="MODEL"),
    "KSampler": kind(["LATENT"], model="MODEL", seed="INT", steps="INT", latent_image="LATENT"),
    "KSamplerAdvanced": kind(["LATENT"], model="MODEL", noise_seed="INT", steps="INT"),
    "Guider": kind(["GUIDER"], model="MODEL"),
    "Scheduler": kind(["SIGMAS"], model="MODEL", steps="INT"),
    "Noise": kind(["NOISE"], noise_seed="INT"),
    "Custom": kind(["LATENT"], guider="GUIDER", sigmas="SIGMAS", noise="NOISE"),
    "Seed": kind(["INT"], value="INT"),
    "Decode": kind(["IMAGE"], samples="LATENT"),
    "SaveImage": kind([], images="IMAGE"),
    "PreviewImage": kind([], images="IMAGE"),
    "FrescoApply": {
        "input": {
            "required": {
                "model": ["MODEL", {}],
                "schedule": ["STRING", {}],
                "preset": [["a"], {"default": "a"}],
            }
        },
        "output": ["MODEL"],
    },
    "FrescoKSampler": kind(
        ["LATENT", "FRESCO_TRACE"], model="MODEL", seed="INT", steps="INT", schedule="STRING"
    ),
    "FrescoConvergence": kind(["IMAGE"], trace="FRESCO_TRACE"),
}


def node(name, **inputs):
    return {"class_type": name, "inputs": inputs}


def ending(prompt, latent):
    """A prompt with a picture of a node's latent behind it."""
    ends = {"98": node("Decode", samples=[latent, 0]), "99": node("PreviewImage", images=["98", 0])}
    return prompt | ends


def simple():
    return {
        "1": node("Loader"),
        "2": node("Lora", model=["1", 0]),
        "3": node("KSampler", model=["2", 0], seed=7, steps=20, latent_image=["9", 0]),
        "4": node("Decode", samples=["3", 0]),
        "5": node("SaveImage", images=["4", 0], filename_prefix="x"),
        "9": node("KSampler", model=["2", 0], seed=7, steps=8),
    }


def test_every_sampler_is_fronted_once_for_each_model_and_the_graph_stays_as_it_was():
    given = simple()
    before = copy.deepcopy(given)
    graph = Graph(given, INFO)
    made = graph.variant("draft 1/2 x4; refine x4", 3, None, "mark")
    fronts = {k: n for k, n in made.items() if n["class_type"] == "FrescoApply"}
    assert list(fronts.values()) == [
        node("FrescoApply", preset="a", model=["2", 0], schedule="draft 1/2 x4; refine x4")
    ]
    front = next(iter(fronts))
    assert made["3"]["inputs"]["model"] == made["9"]["inputs"]["model"] == [front, 0]
    assert made["3"]["inputs"]["seed"] == 10 and made["3"]["inputs"]["fresco_run"] == "mark"
    assert made["5"] == node("PreviewImage", images=["4", 0]), "nothing of the user's folder is written"
    plain = graph.variant(None, 0, None, "mark")
    assert not any(n["class_type"] == "FrescoApply" for n in plain.values())
    assert plain["3"]["inputs"]["seed"] == 7 and given == before


def test_fewer_steps_scale_all_that_hold_some():
    graph = Graph(simple(), INFO)
    assert graph.steps == 20
    made = graph.variant(None, 0, 10, "m")
    assert (made["3"]["inputs"]["steps"], made["9"]["inputs"]["steps"]) == (10, 4)
    stages = {
        "1": node("Loader"),
        "2": node(
            "KSamplerAdvanced", model=["1", 0], noise_seed=1, steps=20, start_at_step=0, end_at_step=10
        ),
        "3": node(
            "KSamplerAdvanced", model=["1", 0], noise_seed=1, steps=20, start_at_step=10, end_at_step=10000
        ),
    }
    stages["3"]["inputs"]["latent_image"] = ["2", 0]
    made = Graph(ending(stages, "3"), INFO).variant(None, 0, 12, "m")
    assert [made["2"]["inputs"][k] for k in ("steps", "start_at_step", "end_at_step")] == [12, 0, 6]
    assert [made["3"]["inputs"][k] for k in ("steps", "start_at_step", "end_at_step")] == [12, 6, 10000]


def test_a_guider_is_fronted_a_scheduler_is_not_and_the_node_that_samples_is_timed():
    prompt = {
        "1": node("Loader"),
        "2": node("Guider", model=["1", 0]),
        "3": node("Scheduler", model=["1", 0], steps=8),
        "4": node("Noise", noise_seed=["6", 0]),
        "5": node("Custom", guider=["2", 0], sigmas=["3", 0], noise=["4", 0]),
        "6": node("Seed", value=41),
    }
    graph = Graph(ending(prompt, "5"), INFO)
    assert graph.samplers == [("2", "model")] and graph.sampling == ["5"] and graph.steps == 8
    made = graph.variant("full", 1, 4, "m")
    assert made["3"]["inputs"] == {"model": ["1", 0], "steps": 4} and made["6"]["inputs"]["value"] == 42


def test_fresco_that_is_there_already_is_taken_out_and_what_judges_is_left_out():
    prompt = {
        **simple(),
        "6": node("FrescoApply", model=["2", 0], schedule="fast"),
        "7": node("FrescoKSampler", model=["1", 0], seed=1, steps=20, schedule="fast"),
        "8": node("FrescoConvergence", trace=["7", 1]),
        "10": node("SaveImage", images=["8", 0]),
    }
    prompt["3"]["inputs"]["model"] = ["6", 0]
    graph = Graph(prompt, INFO)
    assert "Fresco Apply was in the graph" in graph.notes[0] and {"6", "8", "10"} & set(graph.prompt) == set()
    plain, own = graph.variant(None, 0, None, "m"), graph.variant("1/2 x4, full", 0, None, "m")
    assert plain["3"]["inputs"]["model"] == ["2", 0] and "fresco_1" in own
    assert set(graph.sampling) == {"3", "9"}, "what only a judge needed is not run"
    shown = {"11": node("Decode", samples=["7", 0]), "12": node("PreviewImage", images=["11", 0])}
    graph = Graph(prompt | shown, INFO)
    plain, own = graph.variant(None, 0, None, "m"), graph.variant("1/2 x4, full", 0, None, "m")
    assert plain["7"]["inputs"]["schedule"] == "full"
    assert own["7"]["inputs"]["schedule"] == "1/2 x4, full" and own["7"]["inputs"]["model"] == ["1", 0]
    assert set(graph.sampling) == {"3", "7", "9"}
    judged = {k: prompt[k] for k in ("1", "7", "8", "10")}
    with pytest.raises(CannotRun, match="nothing in the graph is shown or saved"):
        Graph(judged, INFO)


def test_what_is_missing_is_told():
    with pytest.raises(CannotRun, match="no sampler was found"):
        Graph({"1": node("SaveImage")}, INFO)
    with pytest.raises(CannotRun, match="the server has no node Unheard"):
        Graph({"1": node("Unheard")}, INFO)
    without = {k: v for k, v in INFO.items() if k != "FrescoApply"}
    with pytest.raises(CannotRun, match="no Fresco: put this pack into its custom_nodes"):
        Graph(simple(), without)
    unseeded = {"1": node("Loader"), "2": node("KSampler", model=["1", 0], seed=["1", 0])}
    graph = Graph(ending(unseeded, "2"), INFO)
    assert "No seed was found" in graph.notes[0] and graph.stepped == [] and graph.steps == 1


def test_a_file_is_read_with_and_without_its_wrapper(tmp_path):
    file = tmp_path / "g.json"
    for content in (simple(), {"prompt": simple()}):
        file.write_text(json.dumps(content))
        assert read_graph(file) == simple()


def frame(payload, opcode=1, final=True):
    head = bytes((opcode | (0x80 if final else 0),))
    if len(payload) < 126:
        return head + bytes((len(payload),)) + payload
    if len(payload) < 1 << 16:
        return head + b"\x7e" + struct.pack(">H", len(payload)) + payload
    return head + b"\x7f" + struct.pack(">Q", len(payload)) + payload


@pytest.fixture
def talking():
    """talking(bytes to send, size of pieces): the address of a server that does so, and what it is sent."""
    listener = socket.create_server(("127.0.0.1", 0))
    heard = []

    def call(data, piece, status=b"HTTP/1.1 101 Switching Protocols"):
        def serve():
            peer, _ = listener.accept()
            with peer:
                heard.append(peer.recv(4096))
                peer.sendall(status + b"\r\nUpgrade: websocket\r\n\r\n")
                for start in range(0, len(data), piece):
                    peer.sendall(data[start : start + piece])
                peer.settimeout(5)
                heard.append(peer.recv(4096))

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/ws?clientId=a", heard

    yield call
    listener.close()


@pytest.mark.parametrize("piece", [1 << 20, 7])
def test_a_websocket_reads_messages_of_all_lengths_in_any_pieces(talking, piece):
    long = os.urandom(35_000).hex()
    data = frame(b"one") + frame(b"\x00\x01", 2) + frame(b"tw", final=False) + frame(b"are you", 9)
    data += frame(b"o", 0) + frame(b"y" * 300) + frame(long.encode())
    address, heard = talking(data, piece)
    client = WebSocket(address, 10)
    assert [client.receive() for _ in range(4)] == ["one", "two", "y" * 300, long]
    client.close()
    assert b"GET /ws?clientId=a HTTP/1.1" in heard[0] and b"Sec-WebSocket-Version: 13" in heard[0]


def test_a_websocket_says_when_there_is_none(talking):
    address, _ = talking(b"", 1, b"HTTP/1.1 404 Not Found")
    with pytest.raises(OSError, match="404 Not Found"):
        WebSocket(address, 10)
    address, _ = talking(frame(b"", 8), 9)
    with pytest.raises(OSError, match="closed the connection"):
        WebSocket(address, 10).receive()
