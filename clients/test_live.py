"""Logs as they are written: live tails, and following by FilterLogEvents."""

import pathlib
import subprocess
import sys
import threading
import time

import pytest

TALK = """\
talk:
  tasks:
    say:
      operator: airflow.providers.standard.operators.bash.BashOperator
      bash_command: "for i in $(seq 12); do echo line $i; sleep 0.25; done"
"""


def group_of(arn):
    return "/aws/mwaa-serverless/" + arn.split("/")[-1] + "/"


def group_arn(server, group):
    return f"arn:aws:logs:{server.info['region']}:{server.info['account']}:log-group:{group}"


@pytest.fixture
def talk(create, mwaa):
    arn = create(TALK)["WorkflowArn"]
    return arn, lambda: mwaa.start_workflow_run(WorkflowArn=arn)["RunId"]


def spoken(messages):
    return [int(m.split("line ")[1].split('"')[0]) for m in messages if '"line ' in m]


def test_live_tail(server, talk):
    """boto3 reads the stream of events, while the task runs."""
    import botocore.config

    arn, begin = talk
    logs = server.client("logs", config=botocore.config.Config(inject_host_prefix=False))
    tail = logs.start_live_tail(logGroupIdentifiers=[group_arn(server, group_of(arn))], logEventFilterPattern="line")
    events = iter(tail["responseStream"])
    first = next(events)
    assert first["sessionStart"]["logEventFilterPattern"] == "line"
    run = begin()
    heard, updates = [], 0
    for event in events:
        before = len(spoken(heard))
        for result in event["sessionUpdate"]["sessionResults"]:
            assert f"run_id={run}" in result["logStreamName"] and result["timestamp"] > 0
            heard.append(result["message"])
        updates += len(spoken(heard)) > before
        if len(spoken(heard)) >= 12:
            break
    tail["responseStream"].close()
    assert spoken(heard) == list(range(1, 13))
    assert updates > 1, "all lines came at once, when the task had ended"


def test_cli_live_tail(server, talk, wait):
    """`aws logs start-live-tail` prints lines as they come."""
    arn, begin = talk
    cli = pathlib.Path(sys.executable).parent / "aws"
    tail = subprocess.Popen(
        [str(cli), "logs", "start-live-tail", "--log-group-identifiers", group_arn(server, group_of(arn))],
        env={**server.env(), "PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )
    lines, done = [], threading.Event()

    def read():
        for line in tail.stdout:
            lines.append(line)
            if len(spoken(lines)) >= 3:
                break
        done.set()

    threading.Thread(target=read, daemon=True).start()
    for _ in range(60):  # the CLI does not say when its session has begun
        wait(arn, begin())
        if done.wait(2):
            break
    tail.kill()
    tail.wait(300)
    heard = spoken(lines)
    assert len(heard) >= 3 and all(b in (a + 1, 1) for a, b in zip(heard, heard[1:])), lines


def test_follow(logs, talk, wait):
    """The requests that `aws logs tail --follow` of version 2 makes."""
    arn, begin = talk
    run = begin()
    told = {"logGroupName": group_of(arn), "startTime": int(time.time() * 1000) - 600_000, "interleaved": True}
    seen, heard, last = set(), [], None
    deadline = time.monotonic() + 300
    while len(spoken(heard)) < 12 and time.monotonic() < deadline:
        try:
            answer = logs.filter_log_events(**told)
        except logs.exceptions.ResourceNotFoundException:
            time.sleep(0.2)
            continue
        fresh = [e for e in answer["events"] if e["eventId"] not in seen]
        seen.update(e["eventId"] for e in fresh)
        heard += [e["message"] for e in fresh]
        if answer["events"]:
            last = answer["events"][-1]["timestamp"]
        told.pop("nextToken", None)
        if "nextToken" in answer:
            told["nextToken"] = answer["nextToken"]
        else:
            if last is not None:
                told["startTime"] = last
            time.sleep(0.3)
    assert spoken(heard) == list(range(1, 13))
    wait(arn, run)


def test_retention(logs, talk):
    arn, _ = talk
    group = group_of(arn)
    logs.put_retention_policy(logGroupName=group, retentionInDays=7)
    (found,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert found["retentionInDays"] == 7
    with pytest.raises(logs.exceptions.InvalidParameterException):
        logs.put_retention_policy(logGroupName=group, retentionInDays=8)
    logs.delete_retention_policy(logGroupName=group)
    (found,) = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert "retentionInDays" not in found
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.put_retention_policy(logGroupName="nowhere", retentionInDays=7)
