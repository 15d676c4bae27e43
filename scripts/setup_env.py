"""Make or refresh .venv with SpeechX in it. Standard library only; runs on the system's Python >= 3.11.

    python3 scripts/setup_env.py [EXTRA ...]        # e.g. dev eval; none = the core

A stamp file in .venv keeps what was installed (a hash of pyproject.toml and the extras so far), so that a
second run does nothing in well under a second. PyPI's Linux build of torch brings gigabytes of CUDA: where
there is no NVIDIA GPU, and pip does not already offer a CPU build, PyTorch's own CPU index is asked too.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = Path(os.environ.get("VENV") or ROOT / ".venv")
PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".speechx-stamp.json"
INTEGRATIONS = "integrations"
"""The extra that has an environment of its own: `make test-integrations`."""
CPU_INDEX = "https://download.pytorch.org/whl/cpu"


def run(command: list[str], *, quiet: bool = False) -> str:
    """Run a command, echo its lines unless quiet, show life every 8 silent seconds; return the output."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)
    last, done, lines = [time.monotonic()], threading.Event(), []

    def heartbeat() -> None:
        start = time.monotonic()
        while not done.wait(1):
            if time.monotonic() - last[0] > 8:
                last[0] = time.monotonic()
                print(f"   ... still working ({last[0] - start:.0f} s)", flush=True)

    threading.Thread(target=heartbeat, daemon=True).start()
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if not quiet and not line.lstrip().startswith("Requirement already satisfied"):
            last[0] = time.monotonic()
            print("   " + line.rstrip()[:150], flush=True)
    code = process.wait()
    done.set()
    if code:
        raise SystemExit(
            f"setup: `{' '.join(command[:6])} ...` failed with exit code {code}\n{''.join(lines[-15:])}"
        )
    return "".join(lines)


def make_venv() -> None:
    """A virtual environment with pip in it, even where Debian's python3-venv (ensurepip) is not installed."""
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        run([sys.executable, "-m", "venv", "--without-pip", str(VENV)])
        run([sys.executable, "-m", "pip", "--python", str(PYTHON), "install", "pip>=23.1"])
    else:
        run([sys.executable, "-m", "venv", str(VENV)])


def install_integrations(requirements: list[str]) -> None:
    """Install the newest torch and torchaudio of PyPI, with CUDA: torchaudio does not load beside a CPU build.

    The range of torch that SpeechX pins is left out, since an index may have it as CPU builds alone.
    """
    pip = [str(PYTHON), "-m", "pip", "install"]
    run([*pip, "torch", "torchaudio"])
    run([*pip, *(line for line in requirements if not line.startswith("torch"))])
    run([*pip, "--no-deps", "-e", "."])


def install_torch(requirement: str) -> None:
    """Install torch alone first, as a CPU build where no GPU would use the other one."""
    pip = [str(PYTHON), "-m", "pip", "install", requirement]
    if sys.platform == "linux" and shutil.which("nvidia-smi") is None:
        report = VENV / "torch-report.json"
        run([*pip, "--dry-run", "--no-deps", "--quiet", "--report", str(report)], quiet=True)
        planned = json.loads(report.read_text())["install"]
        report.unlink()
        if planned and "+cpu" not in planned[0]["metadata"]["version"]:
            pip += ["--extra-index-url", CPU_INDEX]
    run(pip)


def install_alone(requirements: list[str]) -> None:
    """Install packages without their dependencies, one by one; what fails is told and left out."""
    for requirement in requirements:
        try:
            run([str(PYTHON), "-m", "pip", "install", "--no-deps", requirement], quiet=True)
        except SystemExit:
            print(f"   {requirement} cannot be installed here: what needs it will say so", flush=True)


def main(extras: list[str]) -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 - this script meets whatever Python is installed
        raise SystemExit(f"setup: SpeechX needs Python 3.11 or newer, this is {sys.version.split()[0]}")
    import tomllib

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project, alone = settings["project"], settings["tool"]["speechx"]["no-deps"]
    digest = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + str(ROOT).encode()).hexdigest()
    stamp = json.loads(STAMP.read_text()) if STAMP.exists() else {"digest": None, "extras": []}
    wanted = sorted({*stamp["extras"], *extras})
    if PYTHON.exists() and stamp == {"digest": digest, "extras": wanted}:
        return
    start = time.monotonic()
    if not PYTHON.exists():
        print(f"== making {VENV} with Python {sys.version.split()[0]}", flush=True)
        make_venv()
    print("== installing torch", flush=True)
    if INTEGRATIONS in wanted:
        install_integrations([*project["dependencies"], *project["optional-dependencies"][INTEGRATIONS]])
    else:
        install_torch(next(line for line in project["dependencies"] if line.startswith("torch")))
        target = f".[{','.join(wanted)}]" if wanted else "."
        print(f"== installing speechx {target}", flush=True)
        run([str(PYTHON), "-m", "pip", "install", "-e", target])
    install_alone([requirement for extra in wanted for requirement in alone.get(extra, [])])
    STAMP.write_text(json.dumps({"digest": digest, "extras": wanted}))
    print(f"== {VENV} is ready ({time.monotonic() - start:.0f} s)", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
