"""A real server for the tests of real clients.

FAIRLEAD names the binary; `make clients` builds it. Every test session has a
server of its own on a free loopback port, with a fresh data directory.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import uuid

import boto3
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = os.environ.get("FAIRLEAD", str(ROOT / "bin" / "fairlead"))
ROLE = "arn:aws:iam::111122223333:role/etl"


class Server:
    """A `fairlead serve` process that can be killed and started again."""

    def __init__(self, data, *flags):
        self.data, self.flags, self.process = data, flags, None

    def start(self):
        self.log = open(self.data.parent / "serve.log", "ab")
        self.process = subprocess.Popen(
            [BINARY, "serve", "--listen", "127.0.0.1:0", "--data", str(self.data), *self.flags],
            stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL,
        )
        state = self.data / "server.json"
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            try:
                info = json.loads(state.read_text())
                if info["pid"] == self.process.pid:
                    self.info = info
                    return self
            except (OSError, ValueError, KeyError):
                pass
            if self.process.poll() is not None:
                raise RuntimeError("serve ended: " + (self.data.parent / "serve.log").read_text())
            time.sleep(0.02)
        raise RuntimeError("serve did not come up")

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(30)
        self.log.close()

    def env(self):
        """The environment that `fairlead env` prints, and nothing of AWS else."""
        lines = subprocess.run(
            [BINARY, "env", "--data", str(self.data)], check=True, capture_output=True, text=True
        ).stdout
        env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        for line in lines.splitlines():
            if line.startswith("export "):
                key, _, value = line[len("export "):].partition("=")
                env[key] = value.strip("'\"")
        env["AWS_CONFIG_FILE"] = env["AWS_SHARED_CREDENTIALS_FILE"] = "/dev/null"
        env["AWS_PAGER"] = ""
        return env

    def client(self, service, **more):
        env = self.env()
        return boto3.client(
            service,
            endpoint_url=env["AWS_ENDPOINT_URL"],
            region_name=env["AWS_REGION"],
            aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
            **more,
        )

    def aws(self, *args):
        """Runs the AWS CLI as a user would and returns what it prints."""
        cli = pathlib.Path(sys.executable).parent / "aws"
        done = subprocess.run([str(cli), *args], env=self.env(), capture_output=True, text=True, timeout=300)
        return done


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    s = Server(tmp_path_factory.mktemp("fairlead") / "data").start()
    yield s
    s.stop()


@pytest.fixture(scope="session")
def mwaa(server):
    return server.client("mwaa-serverless")


@pytest.fixture(scope="session")
def s3(server):
    return server.client("s3")


@pytest.fixture(scope="session")
def logs(server):
    return server.client("logs")


@pytest.fixture(scope="session")
def bucket(s3):
    s3.create_bucket(Bucket="workflows")
    return "workflows"


@pytest.fixture
def create(mwaa, s3, bucket):
    """Creates a workflow of a definition and returns the answer."""

    def make(definition, **more):
        key = f"{uuid.uuid4().hex}.yaml"
        s3.put_object(Bucket=bucket, Key=key, Body=definition.encode())
        more.setdefault("Name", "wf-" + uuid.uuid4().hex[:12])
        return mwaa.create_workflow(
            DefinitionS3Location={"Bucket": bucket, "ObjectKey": key}, RoleArn=ROLE, **more
        )

    return make


FINAL = {"SUCCESS", "FAILED", "TIMEOUT", "STOPPED"}


@pytest.fixture
def wait(mwaa):
    """Polls a run, as clients do, until pred(run detail) holds."""

    def poll(arn, run_id, pred=lambda d: d["RunState"] in FINAL, seconds=300):
        deadline = time.monotonic() + seconds
        while True:
            detail = mwaa.get_workflow_run(WorkflowArn=arn, RunId=run_id)["RunDetail"]
            if pred(detail):
                return detail
            if time.monotonic() > deadline:
                raise AssertionError(f"run {run_id} is {detail['RunState']} after {seconds} s: {detail}")
            time.sleep(0.02)

    return poll


@pytest.fixture
def tasks(mwaa):
    """Returns the task instances of a run by (task id, attempt)."""

    def read(arn, run_id):
        found = {}
        for page in mwaa.get_paginator("list_task_instances").paginate(WorkflowArn=arn, RunId=run_id):
            for summary in page["TaskInstances"]:
                ti = mwaa.get_task_instance(
                    WorkflowArn=arn, RunId=run_id, TaskInstanceId=summary["TaskInstanceId"]
                )
                found[ti["TaskId"], ti["AttemptNumber"]] = ti
        return found

    return read
