"""Builds the project's programs, and finds the tools that checks, generators and the demo need."""

import os
import shutil
import subprocess
from pathlib import Path

from steps import CACHE, ROOT

TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or CACHE / "target")


def build_command(*programs: str):
    """The cargo command that builds programs of this project.

    `--workspace` although one program is wanted: with `-p` cargo would choose other features for
    shared dependencies and compile them a second time.
    """
    return ["cargo", "build", "--locked", "--workspace", *(part for name in programs for part in ("--bin", name))]


def program(name: str) -> str:
    """The path of a program that has been built."""
    return str(TARGET / "debug" / name)


def built(*programs: str) -> None:
    """Builds programs, showing what cargo says only if it fails."""
    command = build_command(*programs)
    done = subprocess.run([*command, "--quiet"], cwd=ROOT, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed")


def with_pods(command):
    """Wraps a command that runs pods: who is not root becomes root of a user namespace for it.

    There is no network in there, so all that it needs has to be built and downloaded before.
    """
    return list(command) if os.geteuid() == 0 else [program("flink-sandbox"), "unshare", "--", *command]


def sandbox_tool(name: str) -> str:
    """The path of a tool that the sandbox builds into the cache if it is not there."""
    built("flink-sandbox")
    command = [program("flink-sandbox"), "tool", name]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0 or not done.stdout.strip():
        raise SystemExit(f"the sandbox could not provide {name}: see above")
    return done.stdout.strip().splitlines()[-1]


def helm() -> str:
    """Finds helm on the PATH, or the one that the sandbox builds into the cache."""
    return shutil.which("helm") or sandbox_tool("helm")
