"""A running ComfyUI server: its answers, and jobs whose nodes are timed."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from dataclasses import dataclass, field
from typing import Any

from . import CannotRun
from .websocket import WebSocket

Prompt = dict[str, dict[str, Any]]
ENDS = ("execution_success", "execution_error", "execution_interrupted")


@dataclass
class Job:
    """What came of a prompt. seconds: of each node that ran. whole: from the job's start to its end, by the
    server's own clock. outputs: of each output node, as the history has them."""

    seconds: dict[str, float] = field(default_factory=dict)
    whole: float = 0.0
    cached: set[str] = field(default_factory=set)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)


class Server:
    """A server at `url`. timeout: seconds that it may be silent."""

    def __init__(self, url: str, timeout: float = 3600.0):
        self.url = url.rstrip("/")
        self._timeout = timeout
        self._client = uuid.uuid4().hex

    def get(self, path: str) -> Any:
        """JSON at a path. Raises CannotRun."""
        return json.loads(self.data(path))

    def data(self, path: str) -> bytes:
        """What is at a path. Raises CannotRun."""
        return self._open(urllib.request.Request(self.url + path))

    def post(self, path: str, fields: Any) -> Any:
        """JSON of the answer to JSON. Raises CannotRun."""
        body, kind = json.dumps(fields).encode(), {"Content-Type": "application/json"}
        return json.loads(self._open(urllib.request.Request(self.url + path, body, kind)))

    def picture(self, entry: dict[str, str]) -> bytes:
        """A file of a job's outputs."""
        query = {key: entry.get(key, "") for key in ("filename", "subfolder", "type")}
        return self.data(f"/view?{urllib.parse.urlencode(query)}")

    def run(self, prompt: Prompt) -> Job:
        """Run a prompt to its end. Raises CannotRun for one that is refused or fails."""
        socket = self._socket()
        try:
            known = self.post("/prompt", {"prompt": prompt, "client_id": self._client})["prompt_id"]
            job, ended = self._followed(socket, known)
        except (TimeoutError, OSError) as error:
            raise CannotRun(f"the connection to {self.url} was lost in a job: {error}") from error
        finally:
            socket.close()
        entry = self._history(known)
        messages = dict(entry["status"]["messages"])
        if ended != "execution_success":
            raise CannotRun(_failure(ended, messages, prompt))
        times = [messages.get(name, {}).get("timestamp", 0) for name in ("execution_start", ended)]
        job.whole = (times[1] - times[0]) / 1000.0
        job.cached = set(messages.get("execution_cached", {}).get("nodes", ()))
        job.outputs = entry["outputs"]
        return job

    def _followed(self, socket: WebSocket, known: str) -> tuple[Job, str]:
        """Time the nodes of a job until it ends; how it ended."""
        job, node, since = Job(), None, 0.0
        while True:
            event = json.loads(socket.receive())
            data = event.get("data", {})
            if data.get("prompt_id") != known:
                continue
            now = time.monotonic()
            if event["type"] in ("executing", *ENDS):
                if node is not None:
                    job.seconds[node] = job.seconds.get(node, 0.0) + now - since
                node, since = data.get("node") if event["type"] == "executing" else None, now
            if event["type"] in ENDS:
                return job, event["type"]

    def _history(self, known: str) -> dict[str, Any]:
        for _ in range(100):
            found = self.get(f"/history/{known}")
            if known in found:
                return found[known]
            time.sleep(0.1)
        raise CannotRun(f"{self.url} has no history of a job that it has finished: was it cleared meanwhile?")

    def _socket(self) -> WebSocket:
        try:
            return WebSocket(f"{self.url}/ws?clientId={self._client}", self._timeout)
        except OSError as error:
            raise CannotRun(f"no websocket to {self.url}: {error}") from error

    def _open(self, request: urllib.request.Request) -> bytes:
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            raise CannotRun(_refusal(request, error)) from error
        except (OSError, ValueError) as error:
            raise CannotRun(
                f"no server answers at {self.url} ({error}): start ComfyUI, or name where it is with --url"
            ) from error


def _refusal(request: urllib.request.Request, error: urllib.error.HTTPError) -> str:
    try:
        answer = json.loads(error.read())
        words = [answer["error"]["message"] if isinstance(answer["error"], dict) else str(answer["error"])]
        for node, found in (answer.get("node_errors") or {}).items():
            told = "; ".join(f"{e['message']}: {e['details']}" for e in found["errors"])
            words.append(f"node {node} ({found['class_type']}): {told}")
    except (ValueError, KeyError, TypeError):
        words = [str(error)]
    return f"the server refused {urllib.parse.urlsplit(request.full_url).path}: {'; '.join(words)}"


def _failure(ended: str, messages: dict[str, Any], prompt: Prompt) -> str:
    if ended == "execution_interrupted":
        return "a job was interrupted on the server"
    found = messages.get("execution_error", {})
    node = str(found.get("node_id", "?"))
    kind = found.get("node_type") or prompt.get(node, {}).get("class_type", "?")
    return f"node {node} ({kind}) failed: {str(found.get('exception_message', 'no message')).strip()}"
