#!/usr/bin/env python3
"""The demo (`make demo`): a job's life on a real Flink, on this machine alone.

Starts the sandbox (a real Kubernetes control plane, and a node that runs pods as processes), installs
what the chart installs, starts the operator under its own service account, applies
examples/basic.yaml, and tells each transition until the job is STABLE. It stays up until Ctrl-C;
with ONCE=1 it ends by itself, with exit status 0 only if the job became STABLE.

STEP=upgrade takes examples/savepoint.yaml with a job that counts, edits it, and shows that the count
goes on without a gap. Then ONCE=1 ends with exit status 0 only if that is so.
"""

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import urllib.error
import urllib.request
from datetime import datetime
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

from steps import CACHE, ROOT, took
from tools import build_command, program, sandbox_tool, with_pods

NAME = "demo"
# What is applied, by step; its resource has the name of the file with `-example`.
EXAMPLES = {"": "examples/basic.yaml", "upgrade": "examples/savepoint.yaml"}
# The arguments of the job that counts.
COUNTING = ["--journal", "/flink-data/journal", "--rate", "50", "--keys", "8"]
COUNTED = 200
FLINK_VERSION = "1.20"
CONTROL_PLANE = ["etcd", "kube-apiserver", "kube-controller-manager", "kubectl"]
STABLE_WITHIN = 300
# Flink collects the counters of its tasks only every 10 s.
COUNTERS_WITHIN = 15
# How long a program that is asked to end may clean up.
END_WITHIN = 20
# No proxy of the environment stands between this machine and its own pods.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
STARTED = time.monotonic()


def say(text: str = "") -> None:
    """Prints a line at once, also into a pipe."""
    print(text, flush=True)


def heading(text: str) -> None:
    """Announces a part of the demo with the time since its start."""
    say(f"\n[{took(time.monotonic() - STARTED):>8}] {text}")


def end(process: Optional[subprocess.Popen]) -> None:
    """Asks a process to end, and waits for it; one that does not is killed."""
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout=END_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def run(command: List[str], env=None, output=None) -> str:
    """Runs a command in the open; its failure ends the demo.

    Ctrl-C reaches it too. It gets time to clean up, where `subprocess.run` would kill it and leave compilers running.
    """
    child = subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=output, text=True)
    try:
        printed = child.communicate()[0]
    finally:
        end(child)
    if child.returncode != 0:
        raise SystemExit(f"{Path(command[0]).name} {' '.join(command[1:])}: exit status {child.returncode}")
    return printed or ""


def alone():
    """Makes sure that there is one demo at a time; the operating system ends the claim with its process."""
    CACHE.mkdir(parents=True, exist_ok=True)
    claim = open(CACHE / "demo.lock", "w", encoding="utf-8")
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise SystemExit("another demo is running on this machine; end it with Ctrl-C, then begin again") from None
    return claim


def fetch(url: str):
    """Reads JSON from a page; None if nobody answers (yet)."""
    try:
        with DIRECT.open(url, timeout=3) as reply:
            return json.load(reply)
    except (OSError, ValueError):
        return None


def healthy(url: str) -> bool:
    """Tells whether a probe answers with success."""
    try:
        with DIRECT.open(url, timeout=3) as reply:
            return reply.status == 200
    except (OSError, urllib.error.HTTPError):
        return False


def counted(vertex: dict) -> str:
    """The records that Flink has counted for a part of a job; nothing as long as it has counted none."""
    metrics = vertex.get("metrics", {})
    read, written = metrics.get("read-records", 0), metrics.get("write-records", 0)
    return f", {read} records in, {written} out" if read or written else ""


def transition(event: dict) -> str:
    """Says in one line how the resource stands."""
    if event["type"] == "DELETED":
        return f"{'(gone)':<12} {'-':<20} {'-':<12} {event['object']['metadata']['name']} is deleted"
    status = event["object"].get("status", {})
    said = {condition["type"]: condition for condition in status.get("conditions", [])}
    telling = said.get("Degraded", {})
    if telling.get("status") != "True":
        telling = said.get("Progressing", {})
    lifecycle, job_manager = status.get("lifecycleState"), status.get("jobManagerDeploymentStatus")
    job = status.get("jobStatus", {}).get("state")
    return f"{lifecycle or '-':<12} {job_manager or '-':<20} {job or '-':<12} {telling.get('message', '')}".rstrip()


def wrapped(words: str) -> str:
    """Keeps a transition's last column in its place, however long it is."""
    width = max(shutil.get_terminal_size((140, 24)).columns - 12, 90)
    return ("\n" + " " * 12).join(textwrap.wrap(
        words, width, subsequent_indent=" " * 47, break_long_words=False, break_on_hyphens=False))


def free_port() -> int:
    """Finds a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Count(NamedTuple):
    """One line of the journal that the counting job writes: its number is the `count`th of its key."""

    key: int
    count: int
    number: int
    job: str
    tasks: int
    at: float


def journal(folder: Path) -> List[Count]:
    """All that has been counted so far, in order of time; a line without an end is not there yet."""
    counts = []
    for path in folder.glob("*.journal"):
        for line in path.read_text(encoding="ascii").split("\n")[:-1]:
            key, count, number, job, task, _, millis = line.split(" ")
            counts.append(Count(int(key), int(count), int(number), job, int(task.split("/")[1]), int(millis) / 1000))
    return sorted(counts, key=lambda count: (count.at, count.number))


def flaw(counts: List[Count]) -> str:
    """Says what is wrong with a count: a key's numbers come one after the other, whoever counts them. Nothing is good."""
    keys = sorted({count.key for count in counts})
    for key in keys:
        numbers = sorted(count.number for count in counts if count.key == key)
        expected = [key + len(keys) * place for place in range(len(numbers))]
        if numbers != expected:
            wrong = next(pair for pair in zip(numbers, expected) if pair[0] != pair[1])
            return f"key {key} should have counted number {wrong[1]}, and has counted {wrong[0]}"
    strange = [count for count in counts if count.number != count.key + len(keys) * (count.count - 1)]
    return f"number {strange[0].number} was counted as {strange[0].count} of key {strange[0].key}" if strange else ""


def by_key(counts: List[Count], choose) -> Dict[int, int]:
    """One count for each key, such as the first or the last one."""
    return {key: choose(count.count for count in counts if count.key == key) for key in sorted({count.key for count in counts})}


def row(title: str, cells, comment: str = "") -> None:
    """Prints a line of the table of counts."""
    say(f"  {title:<22}" + "".join(f"{cell:>6}" for cell in cells) + (f"   {comment}" if comment else ""))


def moment(text: str) -> float:
    """The moment that Kubernetes writes down in UTC, with as many digits as it likes."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    return datetime.strptime(whole + "+0000", "%Y-%m-%dT%H:%M:%S%z").timestamp() + float(f"0.{fraction or 0}")


def clock(at: float) -> str:
    """The time of day of a moment."""
    return time.strftime("%H:%M:%S", time.localtime(at)) + f"{at % 1:.1f}"[1:]


class Demo:
    """What the demo started, so that it can end it."""

    def __init__(self, step: str) -> None:
        self.step = step
        self.example = EXAMPLES[step]
        self.resource = f"{Path(self.example).stem}-example"
        self.folder = Path(tempfile.mkdtemp(prefix="flink-demo-"))
        self.sandbox_is_up = False
        self.operator: Optional[subprocess.Popen] = None
        self.watch: Optional[subprocess.Popen] = None
        self.over = threading.Event()
        self.latest: dict = {}
        self.port = 0
        self.kubectl_path = ""
        self.env = dict(os.environ)

    def kubectl(self, *arguments: str, typed: str = "") -> str:
        """Runs kubectl as the administrator and returns what it prints."""
        done = subprocess.run([self.kubectl_path, *arguments], cwd=ROOT, env=self.env, input=typed,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def start_sandbox(self) -> None:
        """Brings up the control plane and the node; a sandbox left by a killed demo is removed first."""
        sandbox = program("flink-sandbox")
        run([sandbox, "flink", FLINK_VERSION])
        # All at once, so that the time it names is that of the whole.
        run([sandbox, "tool", *CONTROL_PLANE], output=subprocess.DEVNULL)
        self.kubectl_path = sandbox_tool("kubectl")
        subprocess.run([sandbox, "down", "--name", NAME], cwd=ROOT, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        self.sandbox_is_up = True
        printed = run([sandbox, "up", "--name", NAME], output=subprocess.PIPE)
        lines = [line for line in printed.splitlines() if line.startswith("export KUBECONFIG=")]
        self.env["KUBECONFIG"] = lines[0].split("=", 1)[1].strip("'\"")

    def sandbox_lives(self) -> bool:
        """Tells whether the sandbox still works."""
        done = subprocess.run([program("flink-sandbox"), "status", "--name", NAME], cwd=ROOT, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        return done.returncode == 0

    def install(self) -> None:
        """Installs what the chart installs: CRDs, accounts, rights."""
        run([program("flink-operator"), "crds", "apply"], self.env)
        self.wait_for("the new API", self.api_is_served, 30)
        say(self.kubectl("apply", "-f", "helm/manifests/rbac.yaml").rstrip())

    def api_is_served(self) -> bool:
        """Tells whether the API server knows the kind, which takes a moment after its CRD is there."""
        done = subprocess.run([self.kubectl_path, "get", "flinkdeployments"], env=self.env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        return done.returncode == 0

    def start_operator(self) -> None:
        """Starts the operator with the chart's configuration and the rights of its own account only."""
        self.port = free_port()
        config = self.folder / "conf"
        config.mkdir()
        chart = ROOT / "helm/flink-kubernetes-operator"
        shutil.copy(chart / "logging/log4j-console.properties", config)
        (config / "flink-conf.yaml").write_text(
            (chart / "conf/flink-conf.yaml").read_text(encoding="utf-8")
            + "kubernetes.operator.reconcile.interval: 15 s\n"
            + "kubernetes.operator.observer.progress-check.interval: 5 s\n"
            + f"kubernetes.operator.health.probe.port: {self.port}\n", encoding="utf-8")
        account = json.loads(self.kubectl("config", "view", "--raw", "--minify", "--output", "json"))
        token = self.kubectl("create", "token", "flink-operator", "--duration", "12h").strip()
        account["users"] = [{"name": "flink-operator", "user": {"token": token}}]
        account["contexts"][0]["context"]["user"] = "flink-operator"
        kubeconfig = self.folder / "operator.kubeconfig"
        kubeconfig.touch(mode=0o600)
        kubeconfig.write_text(json.dumps(account), encoding="utf-8")
        env = {**os.environ, "KUBECONFIG": str(kubeconfig), "FLINK_CONF_DIR": str(config), "OPERATOR_NAMESPACE": "default",
               # If the demo is killed, whoever ends this sandbox ends the operator too.
               "FLINK_SANDBOX_INSTANCE": str(Path(self.env["KUBECONFIG"]).parent)}
        with open(self.folder / "operator.log", "wb") as log:
            # Not in the terminal's process group: Ctrl-C comes to the demo, which ends things in order.
            self.operator = subprocess.Popen([program("flink-operator"), "run"], cwd=self.folder, env=env,
                                             stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.wait_for("the operator", lambda: healthy(f"http://127.0.0.1:{self.port}/readyz"), 60)

    def wait_for(self, what: str, holds, seconds: float) -> None:
        """Waits for a condition while the operator lives."""
        end = time.monotonic() + seconds
        while not holds():
            if self.operator is not None and self.operator.poll() is not None:
                raise SystemExit(f"the operator ended (exit status {self.operator.returncode}):\n{self.operator_log()}")
            if time.monotonic() > end:
                raise SystemExit(f"{what} was not ready within {took(seconds)}:\n{self.operator_log()}")
            time.sleep(0.1)

    def operator_log(self) -> str:
        """The end of the operator's log, for a failure; empty before it was started."""
        if self.operator is None:
            return ""
        lines = (self.folder / "operator.log").read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-30:])

    def apply(self) -> None:
        """Applies the example; one with a count writes it to the demo's own folder."""
        if not self.step:
            self.kubectl("apply", "-f", self.example)
            return
        data = self.folder / "data"
        data.mkdir()
        resource = json.loads(self.kubectl("create", "--dry-run=client", "--output", "json", "-f", self.example))
        resource["spec"]["podTemplate"]["spec"]["volumes"][0]["hostPath"]["path"] = str(data)
        resource["spec"]["job"]["args"] = COUNTING
        self.kubectl("apply", "-f", "-", typed=json.dumps(resource))

    def is_stable(self, generation: int = 1) -> bool:
        """Tells whether the spec of this generation, or a newer one, runs."""
        metadata, status = self.latest.get("metadata", {}), self.latest.get("status", {})
        is_new = metadata.get("generation") == status.get("observedGeneration") and metadata.get("generation", 0) >= generation
        return is_new and status.get("lifecycleState") == "STABLE"

    def follow(self) -> None:
        """Prints one line per transition for as long as the sandbox lives; the API server ends each watch after a while."""
        began, last = time.monotonic(), None
        say(f"  {'elapsed':>8}  {'lifecycle':<12} {'JobManager':<20} {'job':<12} what is going on")
        while not self.over.is_set() and self.sandbox_lives():
            for event in self.events():
                self.latest = event["object"]
                words = transition(event)
                if words == last:
                    continue
                last = words
                say(f"  {took(time.monotonic() - began):>8}  {wrapped(words)}")
            self.over.wait(timeout=1)
        self.over.set()

    def events(self):
        """Yields what happens to the resource, until the watch ends."""
        self.watch = subprocess.Popen(
            [self.kubectl_path, "get", "flinkdeployments", "--field-selector", f"metadata.name={self.resource}",
             "--watch", "--output-watch-events", "--output", "json"],
            env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            start_new_session=True)
        for line in self.watch.stdout:
            yield json.loads(line)
        self.watch.wait()

    def flink(self) -> str:
        """The address of the JobManager."""
        labels = f"app={self.resource},component=jobmanager"
        pods = json.loads(self.kubectl("get", "pods", "--selector", labels, "--output", "json"))
        return f"http://{pods['items'][0]['status']['podIP']}:8081"

    def figures(self) -> None:
        """Shows the job as Flink itself sees it."""
        flink = self.flink()
        jobs = fetch(f"{flink}/jobs/overview")
        if not jobs or not jobs.get("jobs"):
            raise SystemExit(f"Flink's REST API at {flink} does not show the job")
        vertices = self.vertices(f"{flink}/jobs/{jobs['jobs'][0]['jid']}")
        job, overview = fetch(f"{flink}/jobs/overview")["jobs"][0], fetch(f"{flink}/overview")
        say(f"  Flink {overview['flink-version']}, {overview['taskmanagers']} TaskManager, "
            f"{overview['slots-total'] - overview['slots-available']} of {overview['slots-total']} slots taken")
        say(f"  job {job['name']} ({job['jid']}): {job['state']}, {job['tasks']['running']} of {job['tasks']['total']} tasks running")
        for vertex in vertices:
            say(f"    {vertex['name'][:60]}: parallelism {vertex['parallelism']}{counted(vertex)}")
        say(f"""
  Flink's pages     {flink}
  the operator      http://127.0.0.1:{self.port}/actors   (what each actor does, when it looks again)
  its log           {self.folder}/operator.log""")

    def vertices(self, job: str) -> list:
        """The parts of the job, once Flink has counted records; without counts if that takes too long."""
        end = time.monotonic() + COUNTERS_WITHIN
        while True:
            vertices = (fetch(job) or {}).get("vertices", [])
            if any(counted(vertex) for vertex in vertices) or time.monotonic() > end:
                return vertices
            time.sleep(0.5)

    def counted(self) -> List[Count]:
        """What the job has counted so far."""
        return journal(self.folder / "data/journal")

    def upgrade(self) -> None:
        """Edits the job while it counts, and shows what becomes of its state."""
        heading("the job counts the numbers 0, 1, 2 ... for each of 8 keys, and writes each count to a file of its own")
        self.wait_for("the count", lambda: len(self.counted()) >= COUNTED, 60)
        before = by_key(self.counted(), max)
        row("key", before)
        row("counted up to", before.values())

        patch = '{"spec":{"job":{"parallelism":1}}}'
        heading(f"kubectl patch flinkdep {self.resource} --type merge -p '{patch}'")
        self.kubectl("patch", "flinkdep", self.resource, "--type", "merge", "-p", patch)
        edit = time.monotonic()
        edited = json.loads(self.kubectl("get", "flinkdep", self.resource, "--output", "json"))["metadata"]["generation"]
        self.wait_for("the new job", lambda: self.is_stable(edited), STABLE_WITHIN)
        say(f"  from the edit to STABLE: {took(time.monotonic() - edit)}")
        new = self.latest["status"]["jobStatus"]["jobId"]
        self.wait_for("the count of the new job", lambda: sum(count.job == new for count in self.counted()) >= COUNTED, 60)
        self.savepoint(new)
        self.comparison(new)

    def savepoint(self, job: str) -> None:
        """Shows the savepoint as Kubernetes and Flink know it."""
        heading("kubectl get flinkstatesnapshots; kubectl get flinkdep -o wide")
        say(textwrap.indent(self.kubectl("get", "flinkstatesnapshots").rstrip(), "  "))
        say(textwrap.indent("\n" + self.kubectl("get", "flinkdep", "-o", "wide").rstrip(), "  "))
        heading("the savepoint")
        snapshots = json.loads(self.kubectl("get", "flinkstatesnapshots", "--output", "json"))["items"]
        if not snapshots:
            raise SystemExit("there is no FlinkStateSnapshot that records the savepoint")
        newest = max(snapshots, key=lambda snapshot: snapshot["metadata"]["creationTimestamp"])
        path = newest["spec"]["savepoint"]["path"]
        restored = (fetch(f"{self.flink()}/jobs/{job}/checkpoints") or {}).get("latest", {}).get("restored") or {}
        if restored.get("external_path") != path:
            raise SystemExit(f"Flink says that job {job} was restored from {restored.get('external_path')}, not from {path}")
        files = list((self.folder / "data/savepoints" / Path(path).name).iterdir())
        taken = moment(newest["status"]["resultTimestamp"])
        say(f"  path      {path}")
        say(f"  taken     at {clock(taken)}, {took(time.time() - taken)} ago; {sum(file.stat().st_size for file in files)} bytes")
        began = clock(restored["restore_timestamp"] / 1000)
        say(f"  restored  at {began} by job {job}, as Flink says, with its checkpoint {restored['id']}")
        runs = self.latest["status"].get("lineage", {}).get("segments", [])
        say(f"  lineage   {' -> '.join(run['jobId'][:8] for run in runs)}, as the status says")

    def comparison(self, new: str) -> None:
        """Shows the last counts of the old job beside the first of the new one; a gap or a repetition is a failure."""
        heading("the count before, and after")
        counts = self.counted()
        ended, began = [count for count in counts if count.job != new], [count for count in counts if count.job == new]
        row("key", by_key(counts, max))
        row(f"job {ended[-1].job[:8]} ended at", by_key(ended, max).values(),
            f"parallelism {ended[-1].tasks}, last count at {clock(ended[-1].at)}")
        row(f"job {new[:8]} began at", by_key(began, min).values(),
            f"parallelism {began[0].tasks}, first count at {clock(began[0].at)}")
        row("counted up to", by_key(counts, max).values(), f"{clock(counts[-1].at)}, and on it goes")
        wrong = flaw(counts)
        if wrong:
            raise SystemExit(f"the count did not go on where it was: {wrong}")
        say(f"\n  {len(counts)} numbers counted, each exactly once: none is missing, none is repeated.")
        say(f"  Nothing was counted for {took(began[0].at - ended[-1].at)}, from one cluster to the next.")

    def invite(self) -> None:
        """Says what to try next, in commands that work as they stand."""
        say("\nTry, in another terminal:\n")
        if os.geteuid() != 0 or "FLINK_DEMO_INSIDE" in os.environ:
            say(f"  nsenter --target {os.getpid()} --user --net --preserve-credentials bash   # the demo has a network of its own")
        say(f"  export KUBECONFIG={self.env['KUBECONFIG']}")
        say(f"  alias kubectl={self.kubectl_path}")
        patch = f"kubectl patch flinkdep {self.resource} --type merge -p"
        keeps = self.step == "upgrade"
        tries = [
            (f"""{patch} '{{"spec":{{"job":{{"parallelism":{2 if keeps else 1}}}}}}}'""",
             "the next savepoint, the next job" if keeps else "an edit redeploys the job"),
            (f"""{patch} '{{"spec":{{"job":{{"state":"suspended"}}}}}}'""", "nothing runs any more"),
            (f"""{patch} '{{"spec":{{"job":{{"state":"running"}}}}}}'""",
             "it goes on where it was" if keeps else "it runs again"),
            (f"""{patch} '{{"spec":{{"image":"flink:no-such-tag"}}}}'""", "the status says what is wrong"),
            (f"kubectl describe flinkdep {self.resource}", "conditions and events"),
            (f"kubectl delete flinkdep {self.resource}", "removes everything"),
        ]
        if keeps:
            tries.insert(3, ("kubectl get flinkstatesnapshots", "the savepoints so far"))
            tries.insert(4, (f"tail -f {self.folder}/data/journal/*", "key, count, number, job, task, attempt, time"))
        width = max(len(command) for command, _ in tries)
        for command, comment in tries:
            say(f"  {command:<{width}}   # {comment}")
        say("\nTransitions go on appearing here. Ctrl-C ends the demo and removes the sandbox.\n")

    def stay(self) -> None:
        """Waits until the operator or the sandbox ends by itself, which is a failure."""
        while self.operator.poll() is None:
            if self.over.wait(timeout=1):
                raise SystemExit("the sandbox has ended; `make demo` begins again")
        raise SystemExit(f"the operator ended (exit status {self.operator.returncode}):\n{self.operator_log()}")

    def end(self) -> None:
        """Ends what was started, in the reverse order."""
        self.over.set()
        end(self.watch)
        end(self.operator)
        if self.sandbox_is_up:
            heading("removing the sandbox")
            subprocess.run([program("flink-sandbox"), "down", "--name", NAME], cwd=ROOT, stdin=subprocess.DEVNULL, check=False)


def go_inside() -> None:
    """Starts the demo again as root of a user namespace, once everything is there that needs the network."""
    run([program("flink-sandbox"), "flink", FLINK_VERSION])
    run([program("flink-sandbox"), "tool", *CONTROL_PLANE], output=subprocess.DEVNULL)
    command = with_pods([sys.executable, str(Path(__file__).resolve())])
    os.execve(command[0], command, {**os.environ, "FLINK_DEMO_INSIDE": "1"})


def show(demo: Demo, once: bool) -> None:
    """The demo itself."""
    say(f"Everything that is built or downloaded goes to {CACHE}; the first run takes minutes, later ones seconds.")
    heading("compiling the operator and the sandbox")
    run(build_command("flink-operator", "flink-sandbox"))
    if os.geteuid() != 0:
        go_inside()
    heading("starting Kubernetes and a node for Flink on this machine")
    demo.start_sandbox()
    heading("installing the CRDs, accounts and rights")
    demo.install()
    heading("starting the operator under its own account")
    demo.start_operator()
    heading(f"applying {demo.example}")
    threading.Thread(target=demo.follow, daemon=True).start()
    demo.apply()
    demo.wait_for("the job", demo.is_stable, STABLE_WITHIN)
    heading("the job as Flink sees it")
    demo.figures()
    if demo.step == "upgrade":
        demo.upgrade()
    else:
        say("\n  `make demo STEP=upgrade` shows how an edit keeps the state of a job that counts.")
    if once:
        return
    demo.invite()
    demo.stay()


def interrupted(*_) -> None:
    """Ends a demo that is terminated, or whose terminal is closed, as Ctrl-C does."""
    raise KeyboardInterrupt


def main() -> int:
    once, step = os.environ.get("ONCE", "") not in ("", "0"), os.environ.get("STEP", "")
    if step not in EXAMPLES:
        raise SystemExit(f"STEP={step}: there is no such step; known are: {', '.join(filter(None, EXAMPLES))}")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    claim = alone()
    demo, code = Demo(step), 0
    try:
        show(demo, once)
    except KeyboardInterrupt:
        say()
        code = 130 if once else 0
    except SystemExit as failure:
        say(f"\n{failure.code}")
        code = 1
    finally:
        # A second Ctrl-C must not leave half of it behind.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        demo.end()
    if code == 0:
        shutil.rmtree(demo.folder, ignore_errors=True)
        heading("done")
    else:
        say(f"the operator's log is in {demo.folder}")
    claim.close()
    return code


if __name__ == "__main__":
    sys.exit(main())
