"""The conformance checklist of the service's public clients, through boto3."""

import datetime
import time
import uuid

import pytest
from botocore.exceptions import ClientError

from conftest import ROLE

HELLO = """\
hello:
  params:
    who: world
  tasks:
    start:
      operator: airflow.providers.standard.operators.empty.EmptyOperator
    say:
      operator: airflow.providers.standard.operators.bash.BashOperator
      bash_command: "echo hello {{ params.who }} on {{ ds }}"
      dependencies: [start]
    repeat:
      operator: airflow.providers.standard.operators.bash.BashOperator
      bash_command: "echo \\"{{ ti.xcom_pull(task_ids='say') }}, again\\""
      dependencies: [say]
"""

SLEEP = """\
sleeper:
  tasks:
    nap:
      operator: airflow.providers.standard.operators.bash.BashOperator
      bash_command: "sleep 60"
      retries: 0
    after:
      operator: airflow.operators.empty.EmptyOperator
      dependencies: [nap]
"""


def code(error):
    return error.value.response["Error"]["Code"]


def test_create_get_list(mwaa, create):
    made = create(HELLO, Name="hello", Description="says hello", Tags={"team": "data"})
    assert made["WorkflowStatus"] == "READY"
    assert made["IsLatestVersion"] is True
    assert made["WorkflowArn"].split("/")[-1].startswith("hello-")
    assert len(made["WorkflowVersion"]) == 32
    assert isinstance(made["CreatedAt"], datetime.datetime)
    got = mwaa.get_workflow(WorkflowArn=made["WorkflowArn"])
    assert got["WorkflowDefinition"] == HELLO, "the definition comes back verbatim"
    assert got["Name"] == "hello" and got["Description"] == "says hello"
    assert got["RoleArn"] == ROLE and got["EngineVersion"] == 1
    names = [w["Name"] for page in mwaa.get_paginator("list_workflows").paginate() for w in page["Workflows"]]
    assert "hello" in names
    with pytest.raises(ClientError) as e:
        create(HELLO, Name="hello")
    assert code(e) == "ConflictException"


def test_update_makes_a_version(mwaa, s3, bucket, create):
    made = create(HELLO)
    arn = made["WorkflowArn"]
    s3.put_object(Bucket=bucket, Key="second.yaml", Body=HELLO.replace("world", "moon").encode())
    updated = mwaa.update_workflow(
        WorkflowArn=arn, DefinitionS3Location={"Bucket": bucket, "ObjectKey": "second.yaml"}, RoleArn=ROLE
    )
    assert updated["WorkflowArn"] == arn
    assert updated["WorkflowVersion"] != made["WorkflowVersion"]
    versions = mwaa.list_workflow_versions(WorkflowArn=arn)["WorkflowVersions"]
    assert [v["IsLatestVersion"] for v in versions].count(True) == 1
    assert {v["WorkflowVersion"] for v in versions} == {made["WorkflowVersion"], updated["WorkflowVersion"]}
    # The object that a version was made of may change: the version does not.
    s3.put_object(Bucket=bucket, Key="second.yaml", Body=b"other: {}")
    assert "moon" in mwaa.get_workflow(WorkflowArn=arn)["WorkflowDefinition"]
    old = mwaa.get_workflow(WorkflowArn=arn, WorkflowVersion=made["WorkflowVersion"])
    assert "world" in old["WorkflowDefinition"]


def test_run_to_success(mwaa, logs, create, wait, tasks):
    made = create(HELLO)
    arn = made["WorkflowArn"]
    started = mwaa.start_workflow_run(WorkflowArn=arn, OverrideParameters={"who": "you"})
    assert started["Status"] == "STARTING"
    detail = wait(arn, started["RunId"])
    assert detail["RunState"] == "SUCCESS", detail
    assert detail["RunType"] == "ON_DEMAND"
    assert isinstance(detail["Duration"], int)
    run = mwaa.get_workflow_run(WorkflowArn=arn, RunId=started["RunId"])
    assert run["OverrideParameters"] == {"who": "you"}
    found = tasks(arn, started["RunId"])
    assert {k: t["Status"] for k, t in found.items()} == {
        ("start", 1): "SUCCESS", ("say", 1): "SUCCESS", ("repeat", 1): "SUCCESS",
    }
    say, repeat = found["say", 1], found["repeat", 1]
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    assert say["Xcom"]["return_value"] == f'"hello you on {today}"'
    assert repeat["Xcom"]["return_value"] == f'"hello you on {today}, again"'
    assert say["OperatorName"] == "BashOperator"
    assert "LogStream" not in found["start", 1], "a task without work has no log"
    group = mwaa.get_workflow(WorkflowArn=arn)["LoggingConfiguration"]["LogGroupName"]
    stream = "workflow_id=" + say["LogStream"].split("workflow_id=", 1)[1]
    for name in {stream, say["LogStream"]}:
        events = logs.get_log_events(logGroupName=group, logStreamName=name, startFromHead=True)["events"]
        assert any("hello you on" in e["message"] for e in events), events
    assert group in [g["logGroupName"] for g in logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]]
    streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert stream in [s["logStreamName"] for s in streams]
    hits = logs.filter_log_events(logGroupName=group, filterPattern="again")["events"]
    assert hits and all("again" in h["message"] for h in hits)
    summary = mwaa.list_workflow_runs(WorkflowArn=arn)["WorkflowRuns"][0]
    assert summary["RunId"] == started["RunId"]
    assert summary["RunDetailSummary"]["Status"] == "SUCCESS"


def test_client_token_joins_the_same_run(mwaa, create, wait):
    arn = create(HELLO)["WorkflowArn"]
    token = uuid.uuid4().hex
    first = mwaa.start_workflow_run(WorkflowArn=arn, ClientToken=token)
    second = mwaa.start_workflow_run(WorkflowArn=arn, ClientToken=token)
    assert first["RunId"] == second["RunId"]
    with pytest.raises(ClientError) as e:
        mwaa.start_workflow_run(WorkflowArn=arn, ClientToken=token, OverrideParameters={"who": "else"})
    assert code(e) in ("ConflictException", "ValidationException")
    wait(arn, first["RunId"])


def test_stop(mwaa, create, wait, tasks):
    arn = create(SLEEP)["WorkflowArn"]
    run = mwaa.start_workflow_run(WorkflowArn=arn)["RunId"]

    def napping(detail):
        return any(t["Status"] == "RUNNING" for t in tasks(arn, run).values())

    wait(arn, run, napping)
    stopped = mwaa.stop_workflow_run(WorkflowArn=arn, RunId=run)
    assert stopped["Status"] in ("STOPPING", "STOPPED")
    detail = wait(arn, run)
    assert detail["RunState"] == "STOPPED"
    assert {t["Status"] for t in tasks(arn, run).values()} == {"CANCELLED"}
    with pytest.raises(ClientError) as e:
        mwaa.stop_workflow_run(WorkflowArn=arn, RunId=run)
    assert code(e) == "ValidationException"


def test_failed_task(mwaa, create, wait, tasks):
    arn = create(
        """\
breaks:
  default_args: {retry_delay: 1, retries: 1}
  tasks:
    bad:
      operator: airflow.providers.standard.operators.bash.BashOperator
      bash_command: "echo trying {{ ti.try_number }}; exit 3"
    never:
      operator: airflow.operators.empty.EmptyOperator
      dependencies: [bad]
"""
    )["WorkflowArn"]
    run = mwaa.start_workflow_run(WorkflowArn=arn)["RunId"]
    detail = wait(arn, run)
    assert detail["RunState"] == "FAILED"
    assert detail["ErrorMessage"] == "Workflow execution failed"
    found = tasks(arn, run)
    assert found["bad", 2]["Status"] == "FAILED"
    assert found["bad", 1]["Status"] == "FAILED"
    assert "exit code 3" in found["bad", 2]["ErrorMessage"]
    assert found["never", 0]["Status"] == "UPSTREAM_FAILED"


def test_invalid_definition(create):
    with pytest.raises(ClientError) as e:
        create("a:\n  tasks:\n    t: {operator: S3ListOperator, bucket: b}\n")
    assert code(e) == "ValidationException"
    message = e.value.response["Error"]["Message"]
    assert message.startswith("Workflow validation failed:")
    assert "operator 'S3ListOperator' is not supported" in message
    fields = e.value.response["FieldList"]
    assert any("line 3" in f["Message"] or "3:" in f["Message"] for f in fields), fields


def test_unknown_things(mwaa, create):
    arn = create(HELLO)["WorkflowArn"]
    gone = arn[:-10] + "AAAAAAAAAA"
    for call in (
        lambda: mwaa.get_workflow(WorkflowArn=gone),
        lambda: mwaa.start_workflow_run(WorkflowArn=gone),
        lambda: mwaa.delete_workflow(WorkflowArn=gone),
        lambda: mwaa.list_tags_for_resource(ResourceArn=gone),
        lambda: mwaa.get_workflow_run(WorkflowArn=arn, RunId="d58cxqdClpTVjeN"),
    ):
        with pytest.raises(ClientError) as e:
            call()
        assert code(e) == "ResourceNotFoundException"
    with pytest.raises(ClientError) as e:
        mwaa.get_workflow(WorkflowArn=arn.rsplit("-", 1)[0])
    assert code(e) == "ValidationException", "an ARN without its suffix is malformed"
    with pytest.raises(ClientError) as e:
        mwaa.list_workflows(NextToken="123")
    assert code(e) == "ValidationException"


def test_pages(mwaa, create, wait):
    arn = create(HELLO)["WorkflowArn"]
    runs = [mwaa.start_workflow_run(WorkflowArn=arn)["RunId"] for _ in range(5)]
    for run in runs:
        wait(arn, run)
    pages = list(
        mwaa.get_paginator("list_workflow_runs").paginate(WorkflowArn=arn, PaginationConfig={"PageSize": 2})
    )
    listed = [r["RunId"] for p in pages for r in p["WorkflowRuns"]]
    assert listed == runs[::-1], "newest first, none twice, none left out"
    assert len(pages) == 3


def test_tags(mwaa, create):
    arn = create(HELLO, Tags={"a": "1"})["WorkflowArn"]
    mwaa.tag_resource(ResourceArn=arn, Tags={"b": "2", "a": "3"})
    assert mwaa.list_tags_for_resource(ResourceArn=arn)["Tags"] == {"a": "3", "b": "2"}
    mwaa.untag_resource(ResourceArn=arn, TagKeys=["a", "unknown"])
    assert mwaa.list_tags_for_resource(ResourceArn=arn)["Tags"] == {"b": "2"}


def test_delete(mwaa, create):
    name = "wf-" + uuid.uuid4().hex[:8]
    arn = create(SLEEP, Name=name)["WorkflowArn"]
    mwaa.start_workflow_run(WorkflowArn=arn)
    mwaa.delete_workflow(WorkflowArn=arn)
    deadline = time.monotonic() + 300
    while True:
        try:
            assert mwaa.get_workflow(WorkflowArn=arn)["WorkflowStatus"] == "DELETING"
        except ClientError as e:
            assert e.response["Error"]["Code"] == "ResourceNotFoundException"
            break
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert create(HELLO, Name=name)["WorkflowArn"] != arn, "the name is free again"


def test_trigger_mode(mwaa, create):
    arn = create(HELLO, TriggerMode="disabled")["WorkflowArn"]
    assert mwaa.get_workflow(WorkflowArn=arn)["TriggerMode"] == "disabled"
    with pytest.raises(ClientError) as e:
        mwaa.start_workflow_run(WorkflowArn=arn)
    assert code(e) == "ConflictException"
    with pytest.raises(ClientError) as e:
        create(HELLO, TriggerMode="sometimes")
    assert code(e) == "ValidationException"


def test_warnings(create):
    made = create(
        """\
warned:
  catchup: false
  tasks:
    t:
      operator: airflow.operators.empty.EmptyOperator
      pool: small
"""
    )
    assert any("pool" in w for w in made["Warnings"]), made["Warnings"]


def test_schedule_is_shown(mwaa, create):
    arn = create("s:\n  schedule: '17 3 * * *'\n" + HELLO.split("\n", 1)[1])["WorkflowArn"]
    got = mwaa.get_workflow(WorkflowArn=arn)
    assert got["ScheduleConfiguration"]["CronExpression"] == "17 3 * * *"


def test_wrong_key_is_refused(server):
    import boto3

    env = server.env()
    stranger = boto3.client(
        "mwaa-serverless", endpoint_url=env["AWS_ENDPOINT_URL"], region_name="us-east-1",
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"], aws_secret_access_key="wrong",
    )
    with pytest.raises(ClientError) as e:
        stranger.list_workflows()
    assert code(e) in ("InvalidSignatureException", "SignatureDoesNotMatch")


def test_caller_identity(server):
    me = server.client("sts").get_caller_identity()
    assert len(me["Account"]) == 12 and me["Arn"].startswith("arn:aws:")
