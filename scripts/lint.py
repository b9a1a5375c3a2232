#!/usr/bin/env python3
"""Form (`make lint`): what tools can decide, so that a review need not."""

import argparse
import re
import subprocess
import sys
from pathlib import Path
from typing import List

from steps import CACHE, ROOT, Runner, Step, choose, output_of
from tools import helm

CARGO_DENY = "0.20.2"
LONGEST_FILE = 600
# Paths under these were not written by hand (or are data), so their length says nothing.
NOT_BY_HAND = ("Cargo.lock", "LICENSE", "tests/golden/cases/", "helm/flink-kubernetes-operator/crds/", "go.sum", "go.mod")
PROSE_AND_CODE = {".rs", ".py", ".sh", ".java", ".go", ".md", ".yaml", ".yml", ".toml", ".tpl"}
# What the core must never reach: it decides and does nothing else.
FORBIDDEN_IN_CORE = {"tokio", "hyper", "actix", "reqwest"}
# Crates that nothing shipped may depend on.
ONLY_FOR_TESTS = {"flink-sandbox", "flink-operator-world", "flink-operator-oracle"}


def files() -> List[str]:
    """The files of the repository, new ones included, ignored ones not."""
    listed = output_of("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def too_long() -> List[str]:
    """Names hand-written files past the limit."""
    found = []
    for name in files():
        if Path(name).suffix not in PROSE_AND_CODE or any(part in name for part in NOT_BY_HAND):
            continue
        lines = (ROOT / name).read_text(encoding="utf-8", errors="replace").count("\n")
        if lines > LONGEST_FILE:
            found.append(f"{name}: {lines} lines, more than {LONGEST_FILE}: look for the second subject in it")
    return found


def broken_links() -> List[str]:
    """Names links between documents that lead nowhere."""
    found = []
    for name in files():
        if not name.endswith(".md"):
            continue
        text = re.sub(r"```.*?```", "", (ROOT / name).read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            path = target.split("#")[0]
            if path and "://" not in path and not path.startswith("mailto:"):
                if not ((ROOT / name).parent / path).exists():
                    found.append(f"{name}: the link to {target} leads nowhere")
    return found


SOURCES_OF_REASONS = {
    "core/src/status/conditions.rs": r'Self::\w+ => "(\w+)"',
    "actors/src/resource/shown.rs": r'\(?"([A-Z][a-z]\w+)",',
    "actors/src/health/actor.rs": r'(?:reason: |\()"([A-Z]\w+)"',
}


def unexplained_reasons() -> List[str]:
    """Names reasons that docs/troubleshooting.md does not explain, and ones it made up."""
    reasons = set()
    # Those of conditions, and those that actors say only on their page.
    for name, form in SOURCES_OF_REASONS.items():
        found = re.findall(form, (ROOT / name).read_text(encoding="utf-8"))
        if not found:
            return [f"{name}: no reasons found; mend this check"]
        reasons.update(found)
    page = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", page, flags=re.MULTILINE)
    explained = set(re.findall(r"\w+", " ".join(rows)))
    found = [f"docs/troubleshooting.md does not explain reason {name}" for name in sorted(reasons - explained)]
    return found + [f"docs/troubleshooting.md explains {name}, which is no reason" for name in sorted(explained - reasons)]


def scripts_parse() -> List[str]:
    """Compiles every script of the project without running it."""
    found = []
    for name in files():
        path = ROOT / name
        if name.endswith(".py"):
            try:
                compile(path.read_text(encoding="utf-8"), name, "exec")
            except SyntaxError as error:
                found.append(f"{name}:{error.lineno}: {error.msg}")
        elif name.endswith(".sh") or name == ".ci/run":
            done = subprocess.run(["bash", "-n", str(path)], stderr=subprocess.PIPE, text=True, check=False)
            if done.returncode != 0:
                found.append(done.stderr.strip())
    return found


def packages_of(package: str, edges: str = "normal,build") -> set:
    """The names of all crates that a package is built from, itself included."""
    tree = output_of("cargo", "tree", "--locked", "-p", package, "-e", edges, "--prefix", "none", "--format", "{p}")
    return {line.split()[0] for line in tree.splitlines() if line.strip()}


def dependencies() -> List[str]:
    """Proves the directions of ARCHITECTURE.md from what cargo would build."""
    found = []
    core = packages_of("flink-operator-core")
    bad = sorted(name for name in core if name.split("-")[0] in FORBIDDEN_IN_CORE or name in FORBIDDEN_IN_CORE)
    if bad:
        found.append(f"flink-operator-core depends on {', '.join(bad)}: the core decides and does no IO")
    slim = sorted(packages_of("flink-operator-api") & {"tokio", "hyper", "kube-client", "reqwest"})
    if slim:
        found.append(f"flink-operator-api depends on {', '.join(slim)}: it is a library of types")
    if "actix" in packages_of("flink-rest") or "kube" in packages_of("flink-rest"):
        found.append("flink-rest depends on actix or kube: it knows HTTP, not Kubernetes")
    for package in ("flink-operator", "flink-operator-actors", "flink-operator-core", "flink-operator-api", "flink-rest"):
        test_only = sorted(packages_of(package) & (ONLY_FOR_TESTS - {package}))
        if test_only:
            found.append(f"{package} depends on {', '.join(test_only)}, which exist for tests only")
    oracle = packages_of("flink-operator-oracle") & {"flink-operator-core", "flink-operator-actors", "flink-operator"}
    if oracle:
        found.append(f"flink-operator-oracle depends on {', '.join(sorted(oracle))}: a judge must not share the accused's code")
    return found


def cargo_deny(*checks: str) -> List[str]:
    """The command line of the pinned cargo-deny."""
    return [str(CACHE / "cargo" / "bin" / "cargo-deny"), "--locked", "check", "--hide-inclusion-graph", *checks]


def install_cargo_deny() -> List[str]:
    """Installs the pinned cargo-deny into the cache unless it is there."""
    binary = CACHE / "cargo" / "bin" / "cargo-deny"
    if binary.exists() and CARGO_DENY in output_of(str(binary), "--version"):
        return []
    command = ["cargo", "install", "--locked", "--root", str(CACHE / "cargo"), "--version", CARGO_DENY, "cargo-deny"]
    print("$ " + " ".join(command), flush=True)
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    return [f"cargo-deny {CARGO_DENY} could not be installed (exit status {code})"] if code else []


def advisories() -> List[str]:
    """Checks for known defects; without a way to the database it says so and lets the rest stand."""
    command = cargo_deny("advisories")
    print("$ " + " ".join(command), flush=True)
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0 and "failed to fetch advisory database" in done.stdout:
        print("  advisories NOT checked: the advisory database (a git repository) cannot be reached from here")
        return []
    print(done.stdout, end="")
    return [] if done.returncode == 0 else ["a dependency has a known defect: see above"]


def chart() -> List[str]:
    """Lints the chart and renders it in each way that changes the set of objects."""
    chart_path, found = "helm/flink-kubernetes-operator", []
    binary = helm()
    variants = {
        "defaults": [],
        "namespaced": ["--set", "watchNamespaces={one,two}"],
        "namespaced, own included": ["--set", "watchNamespaces={flink-operator,two}"],
        "without RBAC": ["--set", "rbac.create=false"],
        "outside the cluster": ["--set", "rbac.serviceProxyRule.create=true", "--set", "rbac.keytabSecretsRule.create=true"],
        "config.yaml": ["--set", "defaultConfiguration.flink-conf\\.yaml=null", "--set", "defaultConfiguration.config\\.yaml=a.b: c"],
        "without probes": ["--set", "operatorHealth=null"],
    }
    commands = [[binary, "lint", "--strict", chart_path]]
    commands += [
        [binary, "template", "flink-kubernetes-operator", chart_path, "--namespace", "flink-operator", *values]
        for values in variants.values()
    ]
    for command in commands:
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            found.append(f"{' '.join(command[1:])}: {(done.stderr or done.stdout).strip()}")
    return found


STEPS = [
    Step("fmt", "rustfmt leaves everything as it is", [["cargo", "fmt", "--all", "--check"]]),
    Step("clippy", "no warning, pedantic lints included",
         [["cargo", "clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]]),
    Step("docs", "code comments render, links lead somewhere, each condition reason is explained",
         [["cargo", "doc", "--locked", "--workspace", "--no-deps"], broken_links, unexplained_reasons], env={"RUSTDOCFLAGS": "-D warnings"}),
    Step("deny", "licences, sources and known defects of dependencies",
         [install_cargo_deny, cargo_deny("bans", "licenses", "sources"), advisories]),
    Step("dependencies", "crates depend on each other in one direction only", [dependencies]),
    Step("generated", "generated files are what make generate writes", [[sys.executable, "scripts/generate.py", "--check"]]),
    Step("files", f"no hand-written file over {LONGEST_FILE} lines; scripts parse and pass their tests",
         [too_long, scripts_parse, [sys.executable, "-m", "unittest", "discover", "--start-directory", "scripts/tests"]]),
    Step("chart", "the chart lints and renders in each variant", [chart]),
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="names of steps, blank separated")
    arguments = parser.parse_args()
    return 0 if Runner("make lint", "times-lint.json").run(choose(STEPS, arguments.only)) else 1


if __name__ == "__main__":
    sys.exit(main())
