#!/usr/bin/env python3
"""Runs the same two jobs on Fairlead and on other durable workflow engines.

    python3 bench/peers/run.py [--only fairlead,river] [--scratch DIR]

Installs each peer, at the version pinned beside its program, into a scratch
directory outside the repository, and prints a Markdown table. In each round
every peer is started afresh on loopback, measured and ended, one after the
other, so that what else the machine does comes upon all of them. A peer's
program reads lines such as "chain 100" and answers "done MS", the wall time
from the call that starts the job until its end is known.

Processor time and memory are those of every process that the peer needs:
server, database, worker and client. This process adopts what its children
leave behind (PR_SET_CHILD_SUBREAPER), so none is missed. Linux only.
"""

import argparse
import ctypes
import glob
import os
import pathlib
import resource
import select
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import typing
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TICK = os.sysconf("SC_CLK_TCK")
PATIENCE = 180  # seconds for one job, and for a program to be ready


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="peers to run, by name, with commas between")
    parser.add_argument("--scratch", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "fairlead-peers")
    parser.add_argument("--rounds", type=int, default=5, help="times that each job is measured; the median counts")
    options = parser.parse_args()
    if unknown := set(filter(None, options.only.split(","))) - {p.__name__ for p in PEERS}:
        parser.error(f"no such peer: {', '.join(sorted(unknown))}; there are {', '.join(p.__name__ for p in PEERS)}")
    if ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0) != 0:  # PR_SET_CHILD_SUBREAPER
        sys.exit("prctl: " + os.strerror(ctypes.get_errno()))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that either ends the peer's processes
    # So that a database may run as another user below it.
    options.scratch.mkdir(mode=0o755, parents=True, exist_ok=True)
    benches = [Bench(peer, options.scratch / peer.__name__) for peer in PEERS if not options.only or peer.__name__ in options.only.split(",")]
    missing = []
    try:
        for round in range(1, options.rounds + 1):
            for b in benches:
                say(f"== {b.peer.__name__}, round {round}")
                b.round = round
                try:
                    b.peer(b)
                except (Missing, OSError, subprocess.SubprocessError) as err:
                    missing.append(f"- {b.peer.__name__}, round {round}: {err}")
                    say(missing[-1])
                finally:
                    b.end()
    except KeyboardInterrupt:
        missing.append(f"- what follows an interruption in round {round}")
    print(f"\n{machine()}; medians of {round} rounds, and the least and the most")
    tables([row for b in benches for row in b.rows.values()])
    if missing:
        print("\nNot measured:\n\n" + "\n".join(missing))
    sys.exit(1 if missing else 0)


def tables(rows):
    """Prints what the rows are, what was measured, and how many times the time
    of another row each takes. A ratio is the median of those of each round,
    since rounds differ in their load."""
    print("\n| | engine | a step is | store |\n|---|---|---|---|")
    for row in rows:
        print(f"| {row.mark} | {row.engine} | {row.step} | {row.store} |")
    print("\n| | chain, ms per step | fan-out, steps/s | CPU ms per step: chain | fan-out | flushes per step of the chain | memory, MiB | others had |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for row in rows:
        print(f"| {row.mark} | {row.spread('chain')} | {row.spread('wide', lambda ms: 1000 / ms)} | {row.spread('chain_cpu')} | {row.spread('wide_cpu')} "
              f"| {number(row.median('flushes'))} | {number(row.median('memory'))} | {row.median('others'):.0%} |")
    by_mark = {row.mark: row for row in rows}
    beside = [row for row in rows if row.beside in by_mark]
    if beside:
        print("\n| | beside | time: chain | fan-out | CPU: chain | fan-out |\n|---|---|---:|---:|---:|---:|")
    for row in beside:
        print(f"| {row.mark} | {row.beside} | " + " | ".join(
            row.ratio(what, by_mark[row.beside]) for what in ("chain", "wide", "chain_cpu", "wide_cpu")) + " |")


SQLITE = "SQLite: WAL, synchronous FULL"
POSTGRES = "PostgreSQL as it comes: fsync, synchronous commit"


# The peers. Each starts itself, and measures its rows for one round.


def fairlead(b):
    binary, client = b.dir / "fairlead", b.dir / "client"
    b.install(["go", "build", "-trimpath", "-o", binary, "./cmd/fairlead"], ROOT, CGO_ENABLED="0")
    b.install(["go", "build", "-o", client, "."], HERE / "fairlead")
    data, port = b.fresh("data"), free_port()
    b.start([binary, "serve", "--listen", f"127.0.0.1:{port}", "--data", data,
             "--limit", "definition-bytes=0,workflow-runs=0,runs=0"])  # a thousand tasks exceed a quota of AWS
    wait_for(lambda: (data / "server.json").exists() and answers(f"http://127.0.0.1:{port}/"), "fairlead")
    b.program([client], PEER_SERVER=f"http://127.0.0.1:{port}", PEER_CREDENTIALS=data / "credentials.json")
    name, store = "Fairlead, this tree", SQLITE
    b.row("F1", name, "EmptyOperator: all that is due settles in one save", store, "chain 100", "wide 1000")
    b.row("F2", name, "S3KeySensor, its key there: an attempt in the server, saved when it begins and when it ends; it asks S3", store, "sensor-chain 100", "sensor-wide 1000")
    b.row("F3", name, "`bash -c true`: a process in namespaces of its own, saved when it begins and when it ends", store, "bash-chain 100", "bash-wide 1000")


def temporal(b):
    server, worker = b.dir / "temporal", b.dir / "worker"
    b.install(["go", "build", "-o", server, "github.com/temporalio/cli/cmd/temporal"], HERE / "temporal" / "server")
    b.install(["go", "build", "-o", worker, "."], HERE / "temporal")
    name = f"Temporal dev server {module(HERE / 'temporal' / 'server', 'go.temporal.io/server')}, Go SDK {module(HERE / 'temporal', 'go.temporal.io/sdk')}"
    # By default a shard looks for new tasks 20 times a second, and the steps of
    # one workflow are in one shard: that rate alone bounds a chain.
    lifted = [f"history.{queue}ProcessorMaxPollRPS=10000" for queue in ("transfer", "timer", "visibility")]
    for mark, what, settings in (
        ("T1", "defaults", []),
        ("T2", "MaxPollRPS of the queues 10,000", [x for v in lifted for x in ("--dynamic-config-value", v)]),
    ):
        b.end()
        data, port = b.fresh("data"), free_port()
        b.start([
            server, "server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", str(port), "--log-level", "error",
            "--db-filename", data / "temporal.db", "--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=FULL", *settings,
        ])
        wait_for(lambda: subprocess.run(
            [server, "operator", "namespace", "describe", "default", "--address", f"127.0.0.1:{port}"], capture_output=True).returncode == 0, "temporal")
        b.program([worker], PEER_SERVER=f"127.0.0.1:{port}")
        b.row(mark, f"{name}, {what}", "an activity in a Go worker", SQLITE, "chain 100", "wide 1000", beside="F2", least=1)
    b.row("T3", f"{name}, {what}", "a local activity: runs within a workflow task and is saved with it, not by itself", SQLITE, "local 100", None, beside="F2")


def restate(b):
    b.npm("restate")
    server = b.dir / "node_modules/.bin/restate-server"
    ports = [free_port() for _ in range(4)]
    b.start(
        [server, "--no-logo", "--base-dir", b.fresh("data")],
        RESTATE_LISTEN_MODE="tcp", RESTATE_DISABLE_TELEMETRY="true", RESTATE_LOG_FILTER="error",
        RESTATE_BIND_ADDRESS=f"127.0.0.1:{ports[0]}", RESTATE_INGRESS__BIND_ADDRESS=f"127.0.0.1:{ports[1]}",
        RESTATE_ADMIN__BIND_ADDRESS=f"127.0.0.1:{ports[2]}",
    )
    admin, ingress = f"http://127.0.0.1:{ports[2]}", f"http://127.0.0.1:{ports[1]}"
    wait_for(lambda: answers(admin + "/health") and answers(ingress + "/restate/health"), "restate-server")
    b.program(["node", b.dir / "main.js"], PEER_ADMIN=admin, PEER_INGRESS=ingress, PEER_WORKER_PORT=str(ports[3]), RESTATE_LOGGING="ERROR")
    name = f"Restate {b.npm_version('@restatedev/restate-server')}, TypeScript SDK {b.npm_version('@restatedev/restate-sdk')}"
    b.row("R", name, "`ctx.run` in a Node.js service", "RocksDB of its own, as it comes", "chain 100", "wide 1000", beside="F2")


def dbos(b):
    b.npm("dbos")
    b.program(["node", b.dir / "main.js"], PEER_POSTGRES=b.postgres())
    name = f"DBOS Transact {b.npm_version('@dbos-inc/dbos-sdk')} (TypeScript), PostgreSQL {postgres_version()}"
    b.row("D", name, "`DBOS.runStep` in a Node.js process", POSTGRES, "chain 100", "wide 1000", beside="F2")


def river(b):
    worker = b.dir / "worker"
    b.install(["go", "build", "-o", worker, "."], HERE / "river")
    b.program([worker], PEER_POSTGRES=b.postgres())
    name = f"River {module(HERE / 'river', 'github.com/riverqueue/river')}, PostgreSQL {postgres_version()}"
    b.row("V", name, "a job in a Go process; in a chain each inserts the next", POSTGRES, "chain 100", "wide 1000", beside="F2")


def airflow(b):
    venv = b.dir / "venv"
    b.install([sys.executable, "-m", "venv", venv], b.dir)
    b.install([venv / "bin/pip", "install", "-q", "--disable-pip-version-check", "-r", HERE / "airflow/requirements.txt"], b.dir)
    port, home = free_port(), b.fresh("home")
    url = b.postgres().removeprefix("postgres://").partition("?")[0]
    b.env |= {
        "PATH": f"{venv}/bin:{os.environ['PATH']}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(HERE / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql+psycopg2://" + url,
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    b.start([venv / "bin/airflow", "standalone"])
    b.program([sys.executable, "-B", HERE / "airflow/drive.py"], PEER_SERVER=f"http://127.0.0.1:{port}")
    version = next(l.partition("==")[2] for l in (HERE / "airflow/requirements.txt").read_text().splitlines() if l.startswith("apache-airflow=="))
    name = f"Airflow {version} standalone, LocalExecutor, PostgreSQL {postgres_version()}"
    b.row("A1", name, "EmptyOperator: settled by the scheduler (chain of 10, fan-out of 100)", POSTGRES, "chain 10", "wide 100", least=1)
    b.row("A2", name, "BashOperator `true`: a process (chain of 10, fan-out of 100)", POSTGRES, "bash-chain 10", "bash-wide 100", beside="F3", least=1)


PEERS = [fairlead, temporal, restate, dbos, river, airflow]


# What they share.


class Missing(Exception):
    """A peer cannot be had or run here; the text says why."""


class Burst(typing.NamedTuple):
    wall: float  # ms of a step, the median of the jobs
    cpu: float  # ms of a step, of all of the peer's processes
    memory: float  # MiB at the end
    others: float  # what share of the machine other programs had


class Row:
    """One line of each table: what was measured, by round."""

    def __init__(self, mark, engine, step, store, beside):
        self.mark, self.engine, self.step, self.store, self.beside = mark, engine, step, store, beside
        self.rounds = {}

    def known(self, what):
        return [r[what] for r in self.rounds.values() if r.get(what) is not None]

    def median(self, what):
        """Returns the median of the rounds that know it, or None."""
        known = self.known(what)
        return statistics.median(known) if known else None

    def spread(self, what, show=lambda x: x):
        known = [show(x) for x in self.known(what)]
        return f"{number(statistics.median(known))} ({number(min(known))}–{number(max(known))})" if known else "–"

    def ratio(self, what, other):
        known = [r[what] / other.rounds[i][what] for i, r in self.rounds.items() if what in r and what in other.rounds.get(i, {})]
        return number(statistics.median(known)) + " ×" if known else "–"


class Bench:
    """One peer: its scratch directory and the processes that it needs."""

    def __init__(self, peer, directory):
        self.peer, self.dir, self.round, self.rows = peer, directory, 0, {}
        self.env, self.ask, self.installed = {}, None, []
        self.dir.mkdir(mode=0o755, exist_ok=True)
        self.log = open(self.dir / "log.txt", "w")

    def fresh(self, name):
        shutil.rmtree(self.dir / name, ignore_errors=True)
        (self.dir / name).mkdir()
        return self.dir / name

    def install(self, command, where, **env):
        """Runs a command, once for all rounds."""
        if command in self.installed:
            return
        self.installed.append(command)
        say("   " + " ".join(map(str, command)))
        done = subprocess.run(command, cwd=where, env=os.environ | env, stdout=self.log, stderr=subprocess.STDOUT)
        if done.returncode:
            raise Missing(f"`{' '.join(map(str, command[:4]))} ...` does not succeed; see {self.log.name}")

    def npm(self, peer):
        for name in ("package.json", "package-lock.json", "main.js"):
            shutil.copy(HERE / peer / name, self.dir)
        self.install(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], self.dir)

    def npm_version(self, package):
        return output(["node", "-p", f"require('./node_modules/{package}/package.json').version"], "?", self.dir)

    def start(self, command, **env):
        """Starts a part of the peer, which end ends."""
        user = env.pop("user", None)
        return subprocess.Popen(
            command, cwd=self.dir, env=os.environ | self.env | {k: str(v) for k, v in env.items()},
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, user=user, group=user, extra_groups=[] if user else None)

    def program(self, command, **env):
        """Starts the program that runs jobs, and waits until it is ready."""
        self.ask = subprocess.Popen(
            command, cwd=self.dir, env=os.environ | self.env | {k: str(v) for k, v in env.items()},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.answer("ready")

    def answer(self, want):
        if not select.select([self.ask.stdout], [], [], PATIENCE)[0]:
            raise Missing(f"its program says nothing for {PATIENCE} s; see {self.log.name}")
        line = self.ask.stdout.readline()
        if not line.startswith(want):
            raise Missing(f"its program says {line!r} and not {want}; see {self.log.name}")
        return line.split()[1:]

    def run(self, job):
        self.ask.stdin.write(job + "\n")
        self.ask.stdin.flush()
        return float(self.answer("done")[0])

    def postgres(self):
        """Starts a PostgreSQL with its default settings, fsync and all."""
        data, port = self.fresh("postgres"), free_port()
        user = None
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            user = "postgres"
            shutil.chown(data, user, user)
        init, server = postgres_program("initdb"), postgres_program("postgres")
        self.start([init, "-D", data / "data", "-A", "trust", "-U", "peers", "-E", "UTF8", "--locale", "C"], user=user).wait()
        self.start([server, "-D", data / "data", "-h", "127.0.0.1", "-p", str(port), "-k", data], user=user)
        wait_for(lambda: subprocess.run(
            [postgres_program("psql"), "-qc", "CREATE DATABASE peers", f"postgres://peers@127.0.0.1:{port}/postgres"],
            capture_output=True).returncode == 0, "postgres")
        return f"postgres://peers@127.0.0.1:{port}/peers?sslmode=disable"

    def row(self, mark, engine, step, store, chain, wide, beside="", least=3):
        """Measures two jobs; least is how often a burst repeats a chain, and
        1 for a peer whose chain takes seconds and warms the fan-out as well."""
        row = self.rows.setdefault(mark, Row(mark, engine, step, store, beside))
        bursts = [c := self.measure(chain, least, warm=least)]
        got = {"chain": c.wall, "chain_cpu": c.cpu}
        if self.round == 1:  # it does not vary with the load
            got["flushes"] = self.flushes(chain)
        if wide:
            bursts.append(w := self.measure(wide, 1, warm=least > 1))
            got |= {"wide": w.wall, "wide_cpu": w.cpu}
        row.rounds[self.round] = got | {"memory": max(b.memory for b in bursts), "others": statistics.mean(b.others for b in bursts)}

    def measure(self, job, least, warm):
        """Returns the burst, of up to three, that other programs disturbed
        least; a burst of seconds is not repeated."""
        for _ in range(warm):
            self.run(job)
        bursts = []
        while len(bursts) < 3 and not any(b.others < 0.1 for b in bursts):
            began = time.monotonic()
            bursts.append(self.burst(job, least))
            if time.monotonic() - began > 2:
                break
        best = min(bursts, key=lambda b: b.others)
        say(f"   {job}: {best.wall:.4g} ms a step, CPU {best.cpu:.4g} ms, {best.memory:.0f} MiB; others had {best.others:.0%} of the machine")
        return best

    def burst(self, job, least):
        """Runs a job for half a second, at least as often as least says."""
        walls, cpu, machine, began = [], processor(), busy(), time.monotonic()
        while len(walls) < least or len(walls) < 50 and time.monotonic() - began < 0.5:
            walls.append(self.run(job))
        cpu, machine, took = processor() - cpu, busy() - machine, time.monotonic() - began
        steps = int(job.split()[1])
        return Burst(statistics.median(walls) / steps, 1000 * cpu / steps / len(walls), resident(), max(0, machine - cpu) / took / os.cpu_count())

    def flushes(self, job):
        """Returns how often a step has a file flushed to disk, by all
        processes, or None where there is no strace."""
        if not shutil.which("strace"):
            return None
        seen = self.dir / "flushes.txt"
        pids = [str(pid) for pid in descendants()]
        tracer = subprocess.Popen(
            ["strace", "-f", "-qq", "-e", "trace=fsync,fdatasync,syncfs,sync_file_range", "-o", seen, "-p", ",".join(pids)],
            stdout=self.log, stderr=self.log)
        wait_for(lambda: all(traced(pid) for pid in pids), "strace")
        self.run(job)
        tracer.send_signal(signal.SIGINT)
        tracer.wait()
        # A call that another thread's interrupts is in two lines.
        calls = [line for line in seen.read_text().splitlines() if "sync" in line and "resumed>" not in line]
        return len(calls) / int(job.split()[1])

    def end(self):
        """Ends every process of the peer that is left, and waits for it."""
        for ending, patience in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
            for pid in descendants():
                kill(pid, ending)
            end = time.monotonic() + patience
            while time.monotonic() < end and descendants():
                reap()
                time.sleep(0.05)


def descendants():
    """Every process below this one, by id, with the fields of its stat."""
    found, children = {}, {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            text = pathlib.Path(path).read_text()
        except OSError:  # it has ended
            continue
        fields = text[text.rindex(")") + 2:].split()
        pid = int(path.split("/")[2])
        found[pid] = fields
        children.setdefault(int(fields[1]), []).append(pid)
    below, todo = {}, list(children.get(os.getpid(), []))
    while todo:
        pid = todo.pop()
        below[pid] = found[pid]
        todo += children.get(pid, [])
    return below


def processor():
    """Seconds of processor time used by all descendants, the reaped included."""
    ticks = sum(sum(map(int, fields[11:15])) for fields in descendants().values())
    reaped = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ticks / TICK + reaped.ru_utime + reaped.ru_stime


def busy():
    """Seconds of processor time that the whole machine has spent, or lost to
    its host."""
    user, nice, system, _, _, irq, softirq, steal, *_ = map(int, open("/proc/stat").readline().split()[1:])
    return (user + nice + system + irq + softirq + steal) / TICK


def resident():
    """MiB of memory of all descendants; what they share is counted once."""
    kib = 0
    for pid in descendants():
        try:
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    kib += int(line.split()[1])
        except OSError:  # it has ended
            continue
    return kib / 1024


def traced(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:  # it has ended
        return True
    return "TracerPid:\t0\n" not in text or "State:\tZ" in text


def number(x):
    if x is None:
        return "–"
    return f"{x:,.0f}" if x >= 100 else f"{x:.3g}" if x >= 10 else f"{x:.2g}"


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def kill(pid, ending):
    try:
        os.kill(pid, ending)
    except ProcessLookupError:
        pass


def wait_for(ready, what, seconds=60):
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise Missing(f"{what} does not come up")
        time.sleep(0.1)


def answers(url):
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def postgres_program(name):
    # Debian keeps them off the path.
    found = shutil.which(name) or next(iter(sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), reverse=True)), None)
    if not found:
        raise Missing("there is no PostgreSQL here: install Debian's package postgresql")
    return found


def postgres_version():
    return output([postgres_program("postgres"), "--version"], "?").split()[2]


def module(where, name):
    return output(["go", "list", "-m", "-f", "{{.Version}}", name], "?", where)


def output(command, otherwise, where=None):
    done = subprocess.run(command, cwd=where, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else otherwise


def machine():
    model = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "processor unknown")
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} × {model}, {gib:.0f} GiB, Linux {os.uname().release}"


def say(line):
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
