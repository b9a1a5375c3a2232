#!/usr/bin/env python3
"""The gate (`make test`) and the full run (`make test-full`).

Each test layer is one step. Which test binaries exist is asked from cargo, so that a test file
cannot be forgotten: a layer that is listed here and missing is a failure, and an integration test
that belongs to no layer runs with the unit tests.
"""

import argparse
import json
import os
import sys
from typing import Dict, List

from steps import CACHE, Result, Runner, Step, choose, load, output_of, store
from tools import program, with_pods

# Layers of the root package: what each proves, and how long it may take at most.
LAYERS = {
    "golden": ("objects and configuration equal to the committed ones", 10),
    "scenario": ("the whole operator on a simulated cluster, in virtual time", 15),
    "simulation": ("sweeps: a crash, lost reply or second instance at every point", 30),
    "conformance": ("the real API server: CRDs, RBAC, and the simulated one answers alike", 20),
    "e2e": ("real Flink on the sandbox", 40),
}
NEEDS_TOOLS = {"conformance", "e2e"}
NEEDS_PODS = {"e2e"}
# What the layers on the real control plane and the real Flink need; the first run builds and downloads it.
TOOLS = ["etcd", "kube-apiserver", "kube-controller-manager", "kubectl", "helm"]
FLINK_VERSIONS = ["1.15", "1.20", "2.3"]
# Runs by `make bench` and in full length, not in the gate.
BY_HAND = {"load": ("thousands of resources on the real API server", 60)}


def integration_tests() -> Dict[str, List[str]]:
    """Asks cargo for the integration tests of each package."""
    metadata = json.loads(output_of("cargo", "metadata", "--no-deps", "--format-version", "1", "--locked"))
    return {
        package["name"]: [target["name"] for target in package["targets"] if "test" in target["kind"]]
        for package in metadata["packages"]
    }


def missing(layer: str) -> Step:
    """A layer without its test file fails, and says so."""
    problem = f"tests/{layer}/main.rs is missing: this layer has no tests yet"
    return Step(layer, LAYERS[layer][0], [lambda: [problem]])


def steps(scope: str) -> List[Step]:
    """The steps of a run, in the order in which a failure is found soonest."""
    tests = integration_tests()
    root, sandbox = set(tests.pop("flink-operator")), sorted(tests.pop("flink-sandbox"))
    loose = sorted({name for names in tests.values() for name in names} | (root - set(LAYERS) - set(BY_HAND)))
    # `--workspace` throughout: with `-p` cargo would choose other features and build twice.
    cargo = ["cargo", "test", "--locked", "--workspace", "--no-fail-fast"]
    sandbox_program = program("flink-sandbox")
    env = {"FLINK_OPERATOR_TEST_SCOPE": scope, "FLINK_OPERATOR_SEED": seed()}

    def layer(name: str) -> Step:
        if name not in root:
            return missing(name)
        what, minutes = LAYERS[name]
        limit = minutes if scope == "gate" else minutes * 12
        command = [*cargo, "--test", name]
        return Step(name, what, [with_pods(command) if name in NEEDS_PODS else command], limit, runs_tests=True, env=env)

    plan = [
        Step("build", "compile every crate and test", [["cargo", "build", "--locked", "--workspace", "--all-targets"]],
             60, essential=True),
        Step("unit", "one sentence, one behaviour, crate by crate",
             [[*cargo, "--lib", "--bins", *(f"--test={name}" for name in loose)], [*cargo, "--doc"]],
             15, runs_tests=True, env=env),
        *(layer(name) for name in LAYERS if name not in NEEDS_TOOLS),
        Step("tools", "control plane from Go modules and Flink from PyPI, into the cache",
             [*([sandbox_program, "tool", tool] for tool in TOOLS), [sandbox_program, "flink", *FLINK_VERSIONS]], 45),
    ]
    if sandbox:
        plan.append(Step("sandbox", "the sandbox itself: starts, runs pods, leaves nothing behind",
                         [with_pods([*cargo, *(f"--test={name}" for name in sandbox)])], 30, runs_tests=True, env=env))
    plan += [layer(name) for name in LAYERS if name in NEEDS_TOOLS]
    if scope == "full":
        for name, (what, minutes) in BY_HAND.items():
            if name in root:
                command = ["cargo", "test", "--release", "--locked", "-p", "flink-operator", "--test", name]
                plan.append(Step(name, what, [command], minutes, runs_tests=True, env=env))
    return plan


def seed() -> str:
    """Seeds random tests by the commit: another one with each change, the same for each repetition."""
    return os.environ.get("FLINK_OPERATOR_SEED") or output_of("git", "rev-parse", "HEAD").strip()[:16]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scope", choices=["gate", "full"], default="gate")
    parser.add_argument("--only", default="", help="names of steps, blank separated")
    parser.add_argument("--fresh", action="store_true", help="forget the steps that passed before")
    arguments = parser.parse_args()

    chosen = choose(steps(arguments.scope), arguments.only)
    commit = output_of("git", "rev-parse", "--short=12", "HEAD").strip()
    changed = bool(output_of("git", "status", "--porcelain").strip())
    what = "make test" if arguments.scope == "gate" else "make test-full"
    title = f"{what} at {commit}{' with uncommitted changes' if changed else ''}"

    runner = Runner(title, f"times-{arguments.scope}.json")
    if arguments.scope == "gate":
        return 0 if runner.run(chosen) else 1
    return 0 if run_resumable(runner, chosen, commit, changed, arguments.fresh) else 1


def run_resumable(runner: Runner, chosen: List[Step], commit: str, changed: bool, fresh: bool) -> bool:
    """Runs the steps that have not passed at this commit; with local changes nothing counts as passed."""
    path = CACHE / "test-full" / f"{commit}.json"
    before = {} if fresh or changed else {name: Result(**value) for name, value in load(path).items()}
    before.pop("build", None)  # cheap when warm, and proves that what is tested is what is here
    if before:
        print(f"resuming: {', '.join(before)} passed before at {commit} (FRESH=1 begins again)")
    good = runner.run(chosen, before)
    if not changed:
        passed = {name: vars(result) for name, result in runner.results.items() if result.outcome == "ok"}
        store(path, {**load(path), **passed} if not fresh else passed)
    return good


if __name__ == "__main__":
    sys.exit(main())
