"""A client of ComfyUI's HTTP and WebSocket interface, in the standard library."""

import contextlib
import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator

from .websocket import WebSocket

TROUBLE = (OSError, http.client.HTTPException)  # what a server that is not there raises, or one that hangs
TEXT = (3).to_bytes(4, "big")  # begins a message that holds a text, among those in bytes
_ENDS = ("execution_success", "execution_error", "execution_interrupted")


class PromptError(Exception):
    """A prompt that the server refused, that failed, or that was interrupted.

    kind: "invalid", "error", "interrupted" or "lost" (taken from the server's queue); node_id, node_type: where;
    message: in one line; details: the traceback or what the validation said.
    """

    def __init__(self, kind: str, message: str, node_id: str = "", node_type: str = "", details: str = ""):
        super().__init__(message)
        self.kind, self.message, self.node_id, self.node_type, self.details = kind, message, node_id, node_type, details


class Client:
    """Talks to the server at `url` (http://host:port).

    alive: called while waiting, and may raise; timeout: seconds after which a server that is silent counts as hung.
    """

    def __init__(self, url: str, alive=lambda: None, timeout: float = 60.0):
        self.url, self.alive, self.timeout = url, alive, timeout
        self.unfinished: set[str] = set()  # ids of the prompts that it has submitted and not seen the end of
        # A proxy set for the internet must not get what is meant for this machine.
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

    def get(self, path: str, **query: str):
        """The JSON answer to GET."""
        return json.loads(self.get_bytes(path, **query))

    def get_bytes(self, path: str, **query: str) -> bytes:
        address = self.url + path + ("?" + urllib.parse.urlencode(query) if query else "")
        with self._open(address, timeout=self.timeout) as answer:
            return answer.read()

    def post(self, path: str, payload: dict):
        """The JSON answer to POST, or None where the answer is empty."""
        request = urllib.request.Request(
            self.url + path, json.dumps(payload).encode(), {"Content-Type": "application/json"}, method="POST"
        )
        with self._open(request, timeout=self.timeout) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def object_info(self) -> dict:
        """Every node the server knows: id -> its inputs, outputs and texts."""
        return self.get("/object_info")

    def upload_image(self, name: str, data: bytes, subfolder: str = "") -> str:
        """Puts an image file into the server's input folder, over any of that name. Returns what Load Image calls it.

        subfolder: of the input folder; made where it is missing.
        """
        boundary = uuid.uuid4().hex
        body = b"".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"{extra}\r\n\r\n'.encode() + value + b"\r\n"
            for field, extra, value in (
                ("image", f'; filename="{name}"\r\nContent-Type: application/octet-stream', data),
                ("overwrite", "", b"true"),
                ("subfolder", "", subfolder.encode()),
            )
        )
        request = urllib.request.Request(
            self.url + "/upload/image",
            body + f"--{boundary}--\r\n".encode(),
            {"Content-Type": f"multipart/form-data; boundary={boundary}"},
            method="POST",
        )
        with self._open(request, timeout=self.timeout) as answer:
            stored = json.loads(answer.read())
        return f"{subfolder}/{stored['name']}" if subfolder else stored["name"]

    def image(self, item: dict) -> bytes:
        """The file behind one entry of an output's "images"."""
        return self.get_bytes("/view", filename=item["filename"], subfolder=item["subfolder"], type=item["type"])

    def interrupt(self) -> None:
        """Stops the running prompt."""
        self.post("/interrupt", {})

    def cancel(self, *prompt_ids: str) -> None:
        """Takes back prompts: these, or all that it has submitted and not seen the end of. Those of others go on."""
        for prompt_id in prompt_ids or list(self.unfinished):
            self.post("/queue", {"delete": [prompt_id]})
            self.post("/interrupt", {"prompt_id": prompt_id})
            self.unfinished.discard(prompt_id)

    def submit(self, prompt: dict, workflow: dict | None = None) -> "Run":
        """Queues a prompt in API form; `workflow` (the page's form) is kept in the saved pictures.

        PromptError (kind "invalid") where the server refuses it.
        """
        client_id, prompt_id = uuid.uuid4().hex, str(uuid.uuid4())
        kept = {"workflow": workflow} if workflow else {}  # nodes add to it what they did
        payload = {"prompt": prompt, "client_id": client_id, "prompt_id": prompt_id}
        payload["extra_data"] = {"extra_pnginfo": kept}
        with contextlib.ExitStack() as opened:
            socket = WebSocket(f"{self.url.replace('http', 'ws', 1)}/ws?clientId={client_id}")
            opened.callback(socket.close)
            self.unfinished.add(prompt_id)  # before the answer, which may not come
            try:
                answer = self.post("/prompt", payload)
            except urllib.error.HTTPError as error:
                if error.code != 400:
                    raise
                answer = json.loads(error.read())
            if answer.get("error") or answer["node_errors"]:
                self.cancel(prompt_id)  # it runs what it can, in part; that is not what was asked for
                raise _refusal(answer, prompt)
            opened.pop_all()
        return Run(self, socket, prompt_id)

    def run(self, prompt: dict) -> dict:
        """Queues a prompt and waits: node id -> what it showed ("images", "text"). PromptError where it fails."""
        return self.submit(prompt).outputs()


class Run:
    """One queued prompt."""

    def __init__(self, client: Client, socket: WebSocket, prompt_id: str):
        self.client, self.prompt_id = client, prompt_id
        self._socket = socket
        self._ended = False

    def events(self) -> Iterator[tuple[str, dict | bytes]]:
        """(type, data) of the server's messages about this prompt, to its end; ("preview", bytes) for live previews,
        and ("text", bytes) for what a node says of itself."""
        while not self._ended:
            try:
                message = self._socket.receive(timeout=2.0)
            except TimeoutError:
                self.client.alive()
                self._ended = self._is_over()
                continue
            if isinstance(message, bytes):
                yield "text" if message.startswith(TEXT) else "preview", message
                continue
            event = json.loads(message)
            if event["data"].get("prompt_id") != self.prompt_id:
                continue
            self._ended = event["type"] in _ENDS
            yield event["type"], event["data"]
        self._socket.close()

    def outputs(self, on_event=lambda kind, data: None) -> dict:
        """Waits for the end: node id -> what it showed. PromptError where the prompt failed or was interrupted."""
        try:
            for kind, data in self.events():
                if not isinstance(data, bytes):
                    on_event(kind, data)
        finally:
            self._socket.close()
        while not (entry := self._history()):  # written a moment after the last message
            self.client.alive()
            time.sleep(0.05)
        self.client.unfinished.discard(self.prompt_id)
        for kind, data in entry["status"]["messages"]:
            if kind == "execution_error":
                message = f"{data['exception_type']}: {data['exception_message'].strip()}"
                raise PromptError("error", message, data["node_id"], data["node_type"], "".join(data["traceback"]))
            if kind == "execution_interrupted":
                raise PromptError("interrupted", "interrupted", data["node_id"], data["node_type"])
        return entry["outputs"]

    def _is_over(self) -> bool:
        """Asked where the server has said nothing for a while. PromptError: somebody has emptied its queue."""
        queue = self.client.get("/queue")
        if any(entry[1] == self.prompt_id for entries in queue.values() for entry in entries):
            return False
        if self._history():  # looked at after the queue, since a prompt goes from there to here
            return True
        self.client.unfinished.discard(self.prompt_id)
        raise PromptError("lost", "it was taken from the server's queue")

    def _history(self) -> dict | None:
        return self.client.get(f"/history/{self.prompt_id}").get(self.prompt_id)


def _refusal(answer: dict, prompt: dict) -> PromptError:
    """The server's answer as an error whose details name every node and input it complains of."""
    reports = answer["node_errors"]
    lines = []
    for node_id, report in reports.items():
        title = prompt[node_id].get("_meta", {}).get("title", report["class_type"])
        lines += [f"{title} ({node_id}): {e['message']}: {e['details']}" for e in report["errors"]]
    message = answer["error"]["message"] if answer.get("error") else "Some nodes are not valid"
    first = next((node_id for node_id, report in reports.items() if report["errors"]), "")
    node_type = reports[first]["class_type"] if first else ""
    return PromptError("invalid", message, first, node_type, "\n".join(lines) or answer["error"]["details"])
