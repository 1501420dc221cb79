"""Starts and stops a ComfyUI server of our own, in folders of our own."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from .client import Client
from .terminal import Problem


class ServerDied(Problem):
    """The server ended by itself; the text holds the last lines of its log."""


class Server:
    """A ComfyUI server on 127.0.0.1, in the folder `workspace`; nothing of the person's own ComfyUI is written to.

    python: the interpreter that runs it; comfyui: folder of its main.py; packs: name -> folder of each custom node pack
    it loads, and it loads no others; output: where it saves (default: in the workspace); models: a folder of models it
    may read; cpu: leave the accelerator alone; port: 0 for a free one.
    """

    def __init__(
        self,
        python: Path,
        comfyui: Path,
        workspace: Path,
        packs: dict[str, Path],
        *,
        output: Path | None = None,
        models: Path | None = None,
        cpu: bool = False,
        port: int = 0,
    ):
        self.python, self.comfyui, self.workspace, self.packs = python, comfyui, workspace, packs
        self.output, self.models, self.cpu, self.port = output or workspace / "output", models, cpu, port
        self.log = workspace / "server.log"
        self.process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, timeout: float = 300.0, check: Callable[[], None] = lambda: None) -> Client:
        """Returns a client once the server answers. Problem: the port is taken, the server dies or stays silent.

        check: called while waiting, and may raise, which ends the server.
        """
        self._make_folders()
        if self.port:
            _check_port(self.port)
            return self._start(timeout, check)
        for _ in range(2):  # another program may take a free port before the server does
            self.port = _free_port()
            try:
                return self._start(timeout, check)
            except ServerDied:
                if not _port_was_taken(self.log_text()):
                    raise
        self.port = _free_port()
        return self._start(timeout, check)

    def wait(self) -> None:
        """Waits for the end of the server, which is ServerDied."""
        if self.process:
            self.process.wait()
        self.check_alive()

    def stop(self) -> None:
        """Ends the server, after ten seconds by force."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def check_alive(self) -> None:
        """ServerDied where the server has ended."""
        if self.process and self.process.poll() is not None:
            raise ServerDied(
                f"The ComfyUI server ended by itself (exit status {self.process.returncode}). Its last words:\n"
                f"{self.log_tail()}\nThe whole log: {self.log}"
            )

    def log_text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def log_tail(self, lines: int = 25) -> str:
        return "\n".join("    " + line for line in self.log_text().splitlines()[-lines:])

    def command(self) -> list[str]:
        """The server's command line."""
        command: list[str | Path] = [self.python, self.comfyui / "main.py"]
        command += ["--listen", "127.0.0.1", "--port", str(self.port)]
        command += ["--disable-auto-launch", "--base-directory", self.workspace, "--output-directory", self.output]
        command += ["--database-url", f"sqlite:///{self.workspace / 'user' / 'comfyui.db'}"]
        command += ["--extra-model-paths-config", self.workspace / "extra_model_paths.yaml"]
        command += ["--disable-api-nodes", "--preview-method", "auto"]
        command += ["--disable-all-custom-nodes", "--whitelist-custom-nodes", *self.packs]
        if self.cpu:
            command.append("--cpu")
        return [str(part) for part in command]

    def _start(self, timeout: float, check: Callable[[], None]) -> Client:
        environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
        environment |= {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.workspace,
                env=environment,
                # In a group of its own, so that Ctrl-C reaches us alone and we stop it in order.
                start_new_session=True,  # Windows ignores it
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # Windows alone has it
            )
        client = Client(self.url, self.check_alive)
        deadline = time.monotonic() + timeout
        try:
            while True:
                check()
                self.check_alive()
                try:
                    client.get("/system_stats")
                    return client
                except OSError:
                    pass  # not listening yet
                if time.monotonic() > deadline:
                    raise Problem(
                        f"The ComfyUI server has not answered for {timeout:.0f} s. Its last words:\n{self.log_tail()}\n"
                        f"The whole log: {self.log}"
                    )
                time.sleep(0.2)
        except BaseException:
            self.stop()
            raise

    def _make_folders(self) -> None:
        for name in ("custom_nodes", "input", "user", "models"):
            (self.workspace / name).mkdir(parents=True, exist_ok=True)
        self.output.mkdir(parents=True, exist_ok=True)
        for name, folder in self.packs.items():
            link_folder(self.workspace / "custom_nodes" / name, folder)
        folders = {f.name: f.name for f in self.models.iterdir() if f.is_dir()} if self.models else {}
        paths = {"own": {"base_path": str(self.models), **folders}} if folders else {}
        settings = self.workspace / "user" / "default" / "comfy.settings.json"
        if not settings.exists():  # or the page greets a new user with a dialog of templates
            settings.parent.mkdir(parents=True, exist_ok=True)
            settings.write_text('{"Comfy.TutorialCompleted": true}', encoding="utf-8")
        # JSON is YAML, and needs no package to write.
        (self.workspace / "extra_model_paths.yaml").write_text(json.dumps(paths), encoding="utf-8")


def link_folder(link: Path, target: Path) -> None:
    """Makes `link` lead to the folder `target`: a symbolic link, on Windows a junction (which needs no rights)."""
    if link.exists() and os.path.samefile(link, target):
        return
    if os.path.lexists(link):
        os.rmdir(link) if sys.platform == "win32" else os.unlink(link)
    if sys.platform == "win32":
        import _winapi

        _winapi.CreateJunction(str(target), str(link))
    else:
        link.symlink_to(target, target_is_directory=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        if os.name != "nt":  # there the option would let two programs share the port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            why = f"Port {port} cannot be used ({error.strerror}). Leave out --port to take a free one."
            raise Problem(why) from None


def _port_was_taken(log: str) -> bool:
    return bool(re.search(r"address already in use|Errno (98|48|10048|10013)", log, re.IGNORECASE))
