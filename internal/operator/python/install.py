"""Installs the packages of a requirements.txt into a virtual environment of
their own, with uv if it is there, else with pip. What the tools print goes to
standard output; if one fails, the report quotes its end."""

import collections
import json
import os
import shutil
import subprocess
import sys

QUOTED = 15  # lines


def main():
    target, requirements = sys.argv[1:]
    uv = shutil.which("uv") or shutil.which("uv", path=os.path.dirname(sys.executable))
    python = os.path.join(target, "bin", "python")
    if uv:
        work = os.path.abspath("uv")
        for name, value in {"CACHE_DIR": work, "LINK_MODE": "copy", "PYTHON_DOWNLOADS": "never"}.items():
            os.environ.setdefault("UV_" + name, value)
        must([uv, "venv", "--allow-existing", "--system-site-packages", "--python", sys.executable, target])
        must([uv, "pip", "install", "--compile-bytecode", "--python", python, "--requirement", requirements])
        return
    os.environ.setdefault("PIP_NO_CACHE_DIR", "1")
    os.environ.setdefault("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    os.environ.setdefault("PIP_ROOT_USER_ACTION", "ignore")
    install = ["install", "--no-input", "--progress-bar", "off", "--requirement", requirements]
    venv = [sys.executable, "-I", "-m", "venv", "--system-site-packages", "--without-pip", target]
    must(venv)
    # The interpreter's own pip can install for another; not every
    # distribution ships the one that venv would bring.
    if run([sys.executable, "-I", "-m", "pip", "--python", python, "--version"])[0] == 0:
        must([sys.executable, "-I", "-m", "pip", "--python", python, *install])
        return
    if run([python, "-I", "-m", "ensurepip"])[0] != 0:
        fail("there is neither uv nor pip: install uv, or pip for " + sys.executable)
    must([python, "-I", "-m", "pip", *install])


def run(argv):
    """Runs a command and returns its exit status and last lines."""
    print("+", " ".join(argv), flush=True)
    last = collections.deque(maxlen=QUOTED)
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as p:
        for line in p.stdout:
            text = line.decode(errors="replace").rstrip()
            print(text, flush=True)
            if text:
                last.append(text[:1000])
    return p.returncode, list(last)


def must(argv):
    code, last = run(argv)
    if code != 0:
        tool = os.path.basename(argv[0]) if argv[1:2] != ["-I"] else " ".join(argv[3:4])
        fail(f"{tool} ended with exit status {code}:\n" + "\n".join(last))


def fail(why):
    with open(int(os.environ["FAIRLEAD_RESULT_FD"]), "w", encoding="utf-8") as f:
        json.dump({"error": why}, f)
    sys.exit(1)


main()
