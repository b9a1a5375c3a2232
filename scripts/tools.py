"""Finds the tools that checks and generators need."""

import shutil
import subprocess

from steps import ROOT


def helm() -> str:
    """Finds helm on the PATH, or the one that the sandbox builds into the cache."""
    found = shutil.which("helm")
    if found:
        return found
    command = ["cargo", "run", "--quiet", "--locked", "-p", "flink-sandbox", "--", "tool", "helm"]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0 or not done.stdout.strip():
        raise SystemExit("helm is needed and is neither on the PATH nor could the sandbox build it: see above")
    return done.stdout.strip().splitlines()[-1]
