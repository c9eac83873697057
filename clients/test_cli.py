"""The README's first minute, typed into the AWS CLI."""

import json
import time

import pytest

from conftest import ROLE

HELLO = """\
hello:
  params: {who: world}
  tasks:
    say:
      operator: airflow.providers.standard.operators.bash.BashOperator
      bash_command: "echo hello {{ params.who }}"
"""


@pytest.fixture(scope="module")
def cli(server):
    def run(*args, fails=None):
        done = server.aws(*args)
        if fails:
            assert done.returncode != 0 and fails in done.stderr, done.stdout + done.stderr
            return done.stderr
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.lstrip()[:1] in ("{", "[") else done.stdout

    return run


def test_first_minute(cli, tmp_path):
    (tmp_path / "hello.yaml").write_text(HELLO)
    cli("s3", "mb", "s3://cli-workflows")
    cli("s3", "cp", str(tmp_path / "hello.yaml"), "s3://cli-workflows/")
    arn = cli(
        "mwaa-serverless", "create-workflow", "--name", "cli-hello",
        "--definition-s3-location", "Bucket=cli-workflows,ObjectKey=hello.yaml", "--role-arn", ROLE,
    )["WorkflowArn"]
    run = cli(
        "mwaa-serverless", "start-workflow-run", "--workflow-arn", arn,
        "--override-parameters", '{"who":"you"}',
    )["RunId"]
    deadline = time.monotonic() + 300
    while True:
        state = cli("mwaa-serverless", "get-workflow-run", "--workflow-arn", arn, "--run-id", run)["RunDetail"]["RunState"]
        if state not in ("STARTING", "QUEUED", "RUNNING"):
            break
        assert time.monotonic() < deadline
    assert state == "SUCCESS"
    (listed,) = cli("mwaa-serverless", "list-task-instances", "--workflow-arn", arn, "--run-id", run)["TaskInstances"]
    task = cli(
        "mwaa-serverless", "get-task-instance", "--workflow-arn", arn, "--run-id", run,
        "--task-instance-id", listed["TaskInstanceId"],
    )
    assert task["Status"] == "SUCCESS" and task["TaskId"] == "say"
    group = "/aws/mwaa-serverless/" + arn.split("/")[-1] + "/"
    stream = task["LogStream"]
    events = cli("logs", "get-log-events", "--log-group-name", group, "--log-stream-name", stream)["events"]
    assert any("hello you" in e["message"] for e in events)
    cli("mwaa-serverless", "stop-workflow-run", "--workflow-arn", arn, "--run-id", run, fails="ValidationException")
    cli("mwaa-serverless", "list-workflows", "--max-items", "1")
    cli("mwaa-serverless", "delete-workflow", "--workflow-arn", arn)
    cli("s3", "rb", "--force", "s3://cli-workflows")
    assert cli("sts", "get-caller-identity")["Account"]
