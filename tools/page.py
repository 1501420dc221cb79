"""Drives ComfyUI's real page in headless Chromium, over the DevTools protocol. Needs Chromium or Chrome only.

    python -m tools.page URL WORKFLOW.json SCREENSHOT.png

opens the workflow in the page of the server at URL, prints what the page complains of and saves a picture of it.
"""

import argparse
import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from maprps.launch.websocket import WebSocket

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
_PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
)
_FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-background-networking --no-first-run "
    "--hide-scrollbars --remote-debugging-port=0"
).split()

_CLOSE = "[role=dialog] :is([aria-label=Close], button:has(.pi-times, [class*=lucide--x])), .p-toast-close-button"


def find_browser() -> str | None:
    """A Chromium or Chrome on this machine: CHROMIUM where it is set, else the usual names and places."""
    if named := os.environ.get("CHROMIUM"):
        return named
    return next(filter(None, map(shutil.which, _NAMES)), None) or next(filter(os.path.exists, _PLACES), None)


class PageError(Exception):
    """An exception in the page's own script."""


class Page:
    """ComfyUI's page at `url`, ready for use. A context manager: the browser ends with it.

    size: of the window in pixels. The page draws no text when zoomed out far: a large graph needs a large window.
    Raises FileNotFoundError where there is no Chromium or Chrome.
    """

    def __init__(self, url: str, size: tuple[int, int] = (3200, 1600), timeout: float = 60.0):
        browser = find_browser()
        if browser is None:
            raise FileNotFoundError("There is no Chromium or Chrome here: install one, or name it in CHROMIUM.")
        self._profile = tempfile.TemporaryDirectory(prefix="page-", ignore_cleanup_errors=True)
        self._timeout = timeout
        self._process = subprocess.Popen(
            [
                browser,
                *_FLAGS,
                f"--window-size={size[0]},{size[1]}",
                f"--user-data-dir={self._profile.name}",
                "about:blank",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._socket = WebSocket(self._address())
            self._id = 0
            target = self._command("Target.createTarget", url=url)["targetId"]
            self._session = self._command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            self.wait("window.app?.graph && window.app.extensionManager && window.LiteGraph")
            self.wait("Object.keys(LiteGraph.registered_node_types).includes('KSampler')")
            # The first visit to a server opens the Templates dialog on an empty graph, later ones the default graph.
            self.wait("document.querySelector('[role=dialog]') || app.graph.nodes.length")
            self.dismiss()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Page":
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def evaluate(self, script: str):
        """The value of a JavaScript expression, a promise's result. PageError where it throws."""
        answer = self._command(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, session=self._session
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise PageError(details["exception"].get("description", details["text"]))
        return answer["result"].get("value")

    def wait(self, script: str) -> None:
        """Waits until the expression is true. TimeoutError after the page's timeout."""
        deadline = time.monotonic() + self._timeout
        while not self.evaluate(f"Boolean({script})"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the page never came to: {script}")
            time.sleep(0.1)

    def load(self, workflow: dict) -> None:
        """Opens a workflow, as File > Open does."""
        self.evaluate(f"app.loadGraphData({json.dumps(workflow)})")
        self._settle()

    def open_template(self, name: str, pack: str) -> None:
        """Opens a template of a pack, as the Templates dialog does."""
        file = f"/api/workflow_templates/{pack}/{name}.json"
        options = "{openSource: 'template'}"
        self.evaluate(
            f"fetch({json.dumps(file)}).then(answer => answer.json())"
            f".then(workflow => app.loadGraphData(workflow, true, true, {json.dumps(name)}, {options}))"
        )
        self._settle()

    def dismiss(self) -> None:
        """Closes every dialog by its cross, for not all of them listen to Escape, and every message that lies over the
        buttons. TimeoutError where one stays."""
        self.wait(
            f"(document.querySelectorAll({json.dumps(_CLOSE)}).forEach(b => b.click()), "
            "!document.querySelector('[role=dialog], .p-toast-message'))"
        )

    def missing_nodes(self) -> list[str]:
        """Node types of the open workflow that the page does not know."""
        return self.evaluate("app.graph.nodes.map(n => n.type).filter(t => !(t in LiteGraph.registered_node_types))")

    def texts(self, selector: str) -> list[str]:
        """The visible text of every element that matches."""
        return self.evaluate(f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.innerText)")

    def prompt(self) -> dict:
        """The open workflow as the page would send it to the server."""
        return self.evaluate("app.graphToPrompt().then(p => p.output)")

    def box(self, element: str) -> list[float]:
        """[x, y, width, height], in the window, of the element that a JavaScript expression gives."""
        return self.evaluate(f"(r => [r.x, r.y, r.width, r.height])({element}.getBoundingClientRect())")

    def click(self, element: str) -> None:
        """Clicks on the middle of an element, once it is there and not disabled."""
        self.wait(f"(found => found && !found.disabled && found.getClientRects().length)({element})")
        x, y, width, height = self.box(element)
        self.drag([(x + width / 2, y + height / 2)])

    def drag(self, points: list[tuple[float, float]]) -> None:
        """Presses the mouse at the first point of the window, (x, y), and lets go at the last."""
        steps = [("mouseMoved", points[0], 0), ("mousePressed", points[0], 1)]
        steps += [("mouseMoved", point, 1) for point in points[1:]]
        for kind, (x, y), down in [*steps, ("mouseReleased", points[-1], 0)]:
            event = {"type": kind, "x": x, "y": y, "button": "left", "buttons": down, "clickCount": 1}
            self._command("Input.dispatchMouseEvent", session=self._session, **event)

    def press(self, key: str, code: int) -> None:
        """Presses a key, by its name and number in JavaScript, where the focus is."""
        for kind in ("keyDown", "keyUp"):
            event = {"type": kind, "key": key, "windowsVirtualKeyCode": code}
            self._command("Input.dispatchKeyEvent", session=self._session, **event)

    def write(self, element: str, text: str) -> None:
        """Writes into a field, over what it holds."""
        self.evaluate(f"(field => (field.focus(), field.select()))({element})")
        self._command("Input.insertText", text=text, session=self._session)

    def execute(self, command: str) -> None:
        """Has the page do what a menu or a key would, by the name of the command."""
        self.evaluate(f"app.extensionManager.command.execute({json.dumps(command)})")

    def fit(self) -> None:
        """Zooms so that the whole graph is in view."""
        self.execute("Comfy.Canvas.FitView")
        self._settle()

    def screenshot(self, file: Path) -> None:
        """Saves a picture (PNG) of the page."""
        picture = self._command("Page.captureScreenshot", format="png", session=self._session)
        file.write_bytes(base64.b64decode(picture["data"]))

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._profile.cleanup()

    def _address(self) -> str:
        """Chromium writes the port it has chosen into its profile."""
        file = Path(self._profile.name) / "DevToolsActivePort"
        deadline = time.monotonic() + self._timeout
        while True:
            lines = file.read_text().splitlines() if file.exists() else []
            if len(lines) == 2:
                return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise TimeoutError(f"the browser does not start (exit status {self._process.returncode})")
            time.sleep(0.05)

    def _settle(self) -> None:
        self.evaluate("new Promise(done => setTimeout(done, 800))")

    def _command(self, method: str, session: str | None = None, **parameters) -> dict:
        self._id += 1
        message = {"id": self._id, "method": method, "params": parameters}
        self._socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
        while True:
            answer = json.loads(self._socket.receive(self._timeout))
            if answer.get("id") == self._id:
                if "error" in answer:
                    raise PageError(f"{method}: {answer['error']['message']}")
                return answer["result"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="of a running server, like http://127.0.0.1:8188")
    parser.add_argument("workflow", type=Path, help="a workflow as the page saves it")
    parser.add_argument("screenshot", type=Path, help="the PNG to write")
    arguments = parser.parse_args()
    with Page(arguments.url) as page:
        page.load(json.loads(arguments.workflow.read_text(encoding="utf-8")))
        page.fit()
        page.screenshot(arguments.screenshot)
        print("missing nodes:", ", ".join(page.missing_nodes()) or "none")
        for text in page.texts("[role=dialog]"):
            print("dialog:", text)


if __name__ == "__main__":
    main()
