"""Runs named steps one after another, shows their output as it comes, ends with a table.

A step is a list of commands. The table tells what each step found and how long it took; the times
are kept in the cache, so that the next run can say beforehand how long a step took on this machine.
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, List, Optional, Union

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("FLINK_OPERATOR_CACHE") or Path.home() / ".cache" / "flink-operator")

# cargo's closing line of one test binary
CLOSING = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored")

Check = Callable[[], List[str]]  # returns what is wrong, nothing if all is well


@dataclass
class Step:
    """One line of the table: commands run in order, or a check written in Python."""

    name: str
    what: str
    commands: List[Union[List[str], Check]]
    limit_minutes: int = 30
    # Nothing later makes sense if this one fails (the build).
    essential: bool = False
    # A test step in which no test ran proves nothing and counts as failed.
    runs_tests: bool = False
    env: Dict[str, str] = field(default_factory=dict)


@dataclass
class Result:
    """What became of a step."""

    outcome: str  # ok, FAILED, not run
    seconds: float = 0.0
    passed: int = 0
    failed: int = 0
    ignored: int = 0
    note: str = ""

    def tests(self) -> str:
        if not (self.passed or self.failed or self.ignored):
            return ""
        text = f"{self.passed} passed"
        if self.failed:
            text += f", {self.failed} failed"
        if self.ignored:
            text += f", {self.ignored} ignored"
        return text


def took(seconds: float) -> str:
    """Writes a duration as a person reads it."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"


class Runner:
    """Runs steps in order and remembers their results."""

    def __init__(self, title: str, times_file: str) -> None:
        self.title = title
        self.times_path = CACHE / times_file
        self.last_times = load(self.times_path)
        self.results: Dict[str, Result] = {}
        self.child: Optional[subprocess.Popen] = None

    def run(self, steps: List[Step], done_before: Optional[Dict[str, Result]] = None) -> bool:
        """Runs the steps; true if all are well. `done_before` are results that still hold."""
        started = time.monotonic()
        stopped = ""
        for number, step in enumerate(steps, start=1):
            if done_before and step.name in done_before:
                self.results[step.name] = done_before[step.name]
                continue
            if stopped:
                self.results[step.name] = Result("not run", note=stopped)
                continue
            last = self.last_times.get(step.name)
            usual = f"last time {took(last)}" if last else "first time here"
            print(f"\n=== {number}/{len(steps)} {step.name}: {step.what} ({usual})", flush=True)
            try:
                result = self._run_step(step)
            except KeyboardInterrupt:
                self._end_child()
                result = Result("FAILED", note="interrupted")
                stopped = "interrupted"
            self.results[step.name] = result
            if result.outcome == "ok":
                self.last_times[step.name] = result.seconds
            elif step.essential and not stopped:
                stopped = f"needs {step.name}"
        store(self.times_path, self.last_times)
        self._print_table(steps, time.monotonic() - started)
        return all(self.results[step.name].outcome == "ok" for step in steps)

    def _run_step(self, step: Step) -> Result:
        began = time.monotonic()
        result = Result("ok")
        for command in step.commands:
            left = step.limit_minutes * 60 - (time.monotonic() - began)
            if callable(command):
                problems = command()
                for problem in problems:
                    print(f"  {problem}")
                if problems:
                    result.outcome = "FAILED"
                    result.note = problems[0] if len(problems) == 1 else f"{len(problems)} findings"
                continue
            code = self._run_command(command, step.env, left, result)
            if code != 0:
                result.outcome = "FAILED"
                result.note = result.note or f"exit status {code} of {' '.join(command[:3])}"
                break
        if step.runs_tests and result.outcome == "ok" and result.passed == 0:
            result.outcome, result.note = "FAILED", "no test ran"
        result.seconds = time.monotonic() - began
        return result

    def _run_command(self, command: List[str], env: Dict[str, str], left: float, result: Result) -> int:
        print("$ " + " ".join(command), flush=True)
        # Its own process group, so that a time-out or Ctrl-C ends what the command started too.
        self.child = child = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **env}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True, text=True, errors="replace", bufsize=1,
        )
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            self._end_child()

        timer = threading.Timer(max(left, 1), expire)
        timer.start()
        try:
            for line in child.stdout:
                sys.stdout.write(line)
                sys.stdout.flush()
                if found := CLOSING.match(line):
                    result.passed += int(found[1])
                    result.failed += int(found[2])
                    result.ignored += int(found[3])
            code = child.wait()
        finally:
            timer.cancel()
            child.stdout.close()
        self.child = None
        if expired.is_set():
            result.note = "ended at its time limit"
            return code or 1
        return code

    def _end_child(self) -> None:
        """Asks the command to end, then ends its whole group: what it left behind holds our pipe open."""
        child = self.child
        if child is None:
            return
        if child.poll() is None:
            _signal_group(child.pid, signal.SIGINT)
            try:
                child.wait(timeout=20)
            except subprocess.TimeoutExpired:
                pass
        _signal_group(child.pid, signal.SIGKILL)

    def _print_table(self, steps: List[Step], seconds: float) -> None:
        rows = [("step", "result", "time", "tests", "")]
        for step in steps:
            result = self.results[step.name]
            time_text = took(result.seconds) if result.seconds else ""
            rows.append((step.name, result.outcome, time_text, result.tests(), result.note))
        print(f"\n{self.title}")
        print_rows(rows)
        counted = list(self.results.values())
        passed, failed = sum(r.passed for r in counted), sum(r.failed for r in counted)
        bad = sum(self.results[step.name].outcome != "ok" for step in steps)
        tests = f", {passed} tests passed, {failed} failed" if passed or failed else ""
        print(f"{len(steps) - bad} of {len(steps)} steps ok{tests}, {took(seconds)}", flush=True)


def _signal_group(group: int, how: int) -> None:
    try:
        os.killpg(group, how)
    except ProcessLookupError:
        pass  # all of it has ended


def print_rows(rows) -> None:
    """Prints a table whose first row is the heading."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for index, row in enumerate(rows):
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
        if index == 0:
            print("  " + "  ".join("-" * width for width in widths if width))


def choose(steps: List[Step], only: str) -> List[Step]:
    """Keeps the steps named in `only` (blank separated), all if it is empty."""
    wanted = only.split()
    unknown = set(wanted) - {step.name for step in steps}
    if unknown:
        names = " ".join(step.name for step in steps)
        sys.exit(f"no step {', '.join(sorted(unknown))}; there are: {names}")
    return [step for step in steps if not wanted or step.name in wanted]


def output_of(*command: str) -> str:
    """Returns what a command prints; its failure ends the program with its own message."""
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit status {done.returncode}")
    return done.stdout


def load(path: Path) -> dict:
    """Reads a JSON file; a missing or broken one is empty."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def store(path: Path, value: dict) -> None:
    """Writes a JSON file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.write_text(json.dumps(value, indent=1), encoding="utf-8")
    fresh.replace(path)
