"""Runs the jobs of bench/peers on Airflow, over its REST API.

A line such as "chain 10" on standard input triggers that DAG and answers
"done MS". How many tasks a DAG has is said in peers.py.
"""

import json
import os
import sys
import time
from datetime import datetime
import urllib.error
import urllib.request

POLL = 1  # seconds; a call costs the server as much as a step, and the run itself says when it ended
BASE = os.environ["PEER_SERVER"]
token = ""


def call(method, path, body=None):
    request = urllib.request.Request(BASE + path, method=method, headers={"content-type": "application/json"})
    if token:
        request.add_header("authorization", "Bearer " + token)
    with urllib.request.urlopen(request, json.dumps(body).encode() if body is not None else None, timeout=30) as r:
        return json.load(r)


def until(what, ask, seconds=170):
    """Asks again until there is an answer; the server may still be coming up."""
    end = time.monotonic() + seconds
    while True:
        try:
            if answer := ask():
                return answer
            last = "not yet"
        except OSError as err:  # urllib's errors are among them
            last = err
        if time.monotonic() > end:
            raise SystemExit(f"{what}: {last}")
        time.sleep(0.5)


def run(dag):
    began = time.time()
    started = call("POST", f"/api/v2/dags/{dag}/dagRuns", {"logical_date": None})
    while True:
        got = call("GET", f"/api/v2/dags/{dag}/dagRuns/{started['dag_run_id']}")
        if got["state"] == "success":
            return 1000 * (datetime.fromisoformat(got["end_date"]).timestamp() - began)
        if got["state"] == "failed":
            raise SystemExit(f"{dag} failed")
        time.sleep(POLL)


token = until("a token", lambda: call("GET", "/auth/token"))["access_token"]
for name in ("chain", "wide", "bash-chain", "bash-wide"):
    until(f"DAG {name}", lambda: call("PATCH", f"/api/v2/dags/{name}", {"is_paused": False}))
print("ready", flush=True)
for line in sys.stdin:
    print("done", run(line.split()[0]), flush=True)
