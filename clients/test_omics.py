"""Workflows, versions, groups, caches and tags of HealthOmics, in boto3."""

import io
import json
import signal
import time
import urllib.request
import uuid
import zipfile

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from conftest import ROLE, Server

HELLO = """\
version 1.0
task say {
  input { String who }
  command { echo hello ~{who} }
  output { String line = read_string(stdout()) }
}
workflow hello {
  input {
    String who
    Int times = 1
  }
  parameter_meta { who: "whom to greet" }
  call say { input: who = who }
  output { String line = say.line }
}
"""


@pytest.fixture(scope="module")
def omics(server):
    return server.client("omics", config=Config(inject_host_prefix=False))


def archive(**files):
    """A zip of files, by names whose dots are two underscores."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, text in files.items():
            z.writestr(name.replace("__", "."), text)
    return out.getvalue()


def code(caught):
    return caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


def test_life_of_a_workflow(omics):
    zipped = archive(main__wdl=HELLO)
    made = omics.create_workflow(name="hello", definitionZip=zipped, tags={"a": "1"}, readmeMarkdown="# Hello", requestId="once")
    again = omics.create_workflow(name="hello", definitionZip=zipped, tags={"a": "1"}, readmeMarkdown="# Hello", requestId="once")
    assert again["id"] == made["id"] and made["tags"] == {"a": "1"} and len(made["id"]) == 7
    with pytest.raises(ClientError) as caught:
        omics.create_workflow(name="other", definitionZip=zipped, requestId="once")
    assert code(caught) == ("ConflictException", 409)
    omics.get_waiter("workflow_active").wait(id=made["id"], WaiterConfig={"Delay": 1})

    got = omics.get_workflow(id=made["id"], export=["DEFINITION", "README"])
    assert got["status"] == "ACTIVE" and got["engine"] == "WDL" and got["main"] == "main.wdl" and got["type"] == "PRIVATE"
    assert got["uuid"] == made["uuid"] and got["arn"] == made["arn"] and got["digest"].startswith("sha256:")
    assert got["parameterTemplate"] == {"who": {"description": "whom to greet"}, "times": {"optional": True}}
    assert "call say" in got["statusMessage"]
    assert got["creationTime"].tzinfo is not None
    assert urllib.request.urlopen(got["definition"]).read() == zipped
    assert urllib.request.urlopen(got["readme"]).read() == b"# Hello"
    assert "definition" not in omics.get_workflow(id=made["id"])

    listed = [w for page in omics.get_paginator("list_workflows").paginate(name="hello", PaginationConfig={"PageSize": 1}) for w in page["items"]]
    assert [w["id"] for w in listed] == [made["id"]]
    omics.update_workflow(id=made["id"], description="née", readmeMarkdown="# Two")
    got = omics.get_workflow(id=made["id"], export=["README"])
    assert got["description"] == "née" and got["name"] == "hello"
    assert urllib.request.urlopen(got["readme"]).read() == b"# Two"

    version = omics.create_workflow_version(workflowId=made["id"], versionName="v1.0", definitionZip=zipped)
    omics.get_waiter("workflow_version_active").wait(workflowId=made["id"], versionName="v1.0", WaiterConfig={"Delay": 1})
    assert version["arn"] == made["arn"] + "/version/v1.0"
    assert omics.get_workflow_version(workflowId=made["id"], versionName="v1.0")["uuid"] == version["uuid"]
    with pytest.raises(ClientError) as caught:
        omics.create_workflow_version(workflowId=made["id"], versionName="v1.0", definitionZip=zipped)
    assert code(caught) == ("ConflictException", 409)
    omics.update_workflow_version(workflowId=made["id"], versionName="v1.0", description="first")
    (v,) = omics.list_workflow_versions(workflowId=made["id"])["items"]
    assert v["description"] == "first" and v["status"] == "ACTIVE"

    for arn in made["arn"], version["arn"]:
        omics.tag_resource(resourceArn=arn, tags={"b c": "2/é", "x": ""})
        omics.untag_resource(resourceArn=arn, tagKeys=["x", "none"])
        assert omics.list_tags_for_resource(resourceArn=arn)["tags"]["b c"] == "2/é"

    with pytest.raises(ClientError) as caught:
        omics.delete_workflow(id=made["id"])
    assert code(caught) == ("ConflictException", 409)
    omics.delete_workflow_version(workflowId=made["id"], versionName="v1.0")
    omics.delete_workflow(id=made["id"])
    with pytest.raises(ClientError) as caught:
        omics.get_workflow(id=made["id"])
    assert code(caught) == ("ResourceNotFoundException", 404)


@pytest.mark.parametrize(
    "files, more, says",
    [
        ({"main__wdl": "version 1.0\nworkflow w {\n  call nothing\n}\n"}, {}, "main.wdl:3"),
        ({"a__wdl": HELLO, "b__wdl": HELLO}, {}, "name one as main"),
        ({"main__nf": "workflow {}"}, {}, "NEXTFLOW"),
        ({"main__cwl": "{}"}, {}, "CWL"),
        ({"main__wdl": HELLO, "other__cwl": "{}"}, {}, "several engines"),
        ({"main__wdl": HELLO}, {"main": "sub/x.wdl"}, "sub/x.wdl"),
        ({"../x__wdl": HELLO}, {}, "leads out"),
    ],
)
def test_definitions_that_fail(omics, files, more, says):
    made = omics.create_workflow(name="bad", definitionZip=archive(**files), **more)
    got = omics.get_workflow(id=made["id"])
    assert got["status"] == "FAILED" and says in got["statusMessage"], got
    omics.delete_workflow(id=made["id"])


def test_a_definition_from_s3(omics, s3):
    s3.create_bucket(Bucket="definitions")
    s3.put_object(Bucket="definitions", Key="w.zip", Body=archive(sub__wdl=HELLO))
    s3.put_object(Bucket="definitions", Key="README.md", Body=b"# From S3")
    made = omics.create_workflow(definitionUri="s3://definitions/w.zip", readmeUri="s3://definitions/README.md", engine="WDL")
    got = omics.get_workflow(id=made["id"], export=["README"])
    assert got["status"] == "ACTIVE" and got["main"] == "sub.wdl"
    assert urllib.request.urlopen(got["readme"]).read() == b"# From S3"
    for bad in {}, {"definitionUri": "s3://definitions/none.zip"}, {"definitionUri": "s3://definitions/w.zip", "definitionZip": b"x"}:
        with pytest.raises(ClientError) as caught:
            omics.create_workflow(**bad)
        assert code(caught) == ("ValidationException", 400)
    omics.delete_workflow(id=made["id"])


def test_life_of_a_group(omics):
    made = omics.create_run_group(name="g", maxCpus=4, tags={})
    assert made["tags"] == {} and made["arn"].endswith("runGroup/" + made["id"])
    omics.update_run_group(id=made["id"], maxRuns=2)
    got = omics.get_run_group(id=made["id"])
    assert (got["name"], got["maxCpus"], got["maxRuns"]) == ("g", 4, 2) and "maxGpus" not in got
    others = [omics.create_run_group(name="g")["id"] for _ in range(3)]
    pages = omics.get_paginator("list_run_groups").paginate(name="g", PaginationConfig={"PageSize": 2})
    assert [g["id"] for page in pages for g in page["items"]] == [*reversed(others), made["id"]]
    for group in [made["id"], *others]:
        omics.delete_run_group(id=group)
    with pytest.raises(ClientError) as caught:
        omics.get_run_group(id=made["id"])
    assert code(caught) == ("ResourceNotFoundException", 404)


def test_life_of_a_cache(omics):
    made = omics.create_run_cache(cacheS3Location="s3://cache-bucket/prefix", name="c")
    assert made["status"] == "ACTIVE"
    omics.update_run_cache(id=made["id"], cacheBehavior="CACHE_ALWAYS", description="kept")
    got = omics.get_run_cache(id=made["id"])
    assert (got["cacheBehavior"], got["cacheS3Uri"], got["description"]) == ("CACHE_ALWAYS", "s3://cache-bucket/prefix", "kept")
    assert made["id"] in [c["id"] for c in omics.list_run_caches()["items"]]
    omics.delete_run_cache(id=made["id"])


def test_life_of_a_configuration(omics):
    name = "conf-" + uuid.uuid4().hex[:8]
    vpc = {"securityGroupIds": ["sg-0a1b"], "subnetIds": ["subnet-0a1b2c"]}
    made = omics.create_configuration(name=name, runConfigurations={"vpcConfig": vpc})
    assert made["status"] == "ACTIVE" and made["runConfigurations"]["vpcConfig"] == vpc
    assert name in [c["name"] for c in omics.list_configurations()["items"]]
    omics.delete_configuration(name=name)


def test_refusals(omics):
    for call, want in [
        (lambda: omics.get_run_group(id="abc"), ("ValidationException", 400)),
        (lambda: omics.get_run_group(id="9999999"), ("ResourceNotFoundException", 404)),
        (lambda: omics.list_run_groups(startingToken="nonsense"), ("ValidationException", 400)),
        (lambda: omics.list_tags_for_resource(resourceArn="arn:aws:omics:us-east-1:1:run/1"), ("ResourceNotFoundException", 404)),
        (lambda: omics.list_shares(resourceOwner="SELF"), ("NotSupportedOperationException", 405)),
    ]:
        with pytest.raises(ClientError) as caught:
            call()
        assert code(caught) == want


def poll(get, done, seconds=300):
    deadline = time.monotonic() + seconds
    while True:
        got = get()
        if done(got):
            return got
        assert time.monotonic() < deadline, got
        time.sleep(0.05)


def test_life_of_a_batch(omics, s3):
    s3.create_bucket(Bucket="batch-outputs")
    workflow = omics.create_workflow(definitionZip=archive(main__wdl=HELLO))["id"]
    made = omics.start_run_batch(
        batchName="three",
        defaultRunSetting={
            "workflowId": workflow, "roleArn": ROLE, "outputUri": "s3://batch-outputs/x", "parameters": {"who": "all"}, "runTags": {"a": "1"},
        },
        batchRunSettings={
            "inlineSettings": [
                {"runSettingId": "first", "parameters": {"who": "first"}, "runTags": {"b": "2"}},
                {"runSettingId": "second"},
                {"runSettingId": "third", "parameters": {"nobody": 1}},
            ]
        },
    )
    assert made["arn"].endswith("runBatch/" + made["id"])
    got = poll(lambda: omics.get_batch(batchId=made["id"]), lambda b: b["status"] == "PROCESSED")
    assert got["totalRuns"] == 3 and got["runSummary"]["completedRunCount"] == 2, got
    assert got["submissionSummary"]["successfulStartSubmissionCount"] == 2
    assert got["submissionSummary"]["failedStartSubmissionCount"] == 1
    runs = {r["runSettingId"]: r for page in omics.get_paginator("list_runs_in_batch").paginate(batchId=made["id"], PaginationConfig={"PageSize": 2}) for r in page["runs"]}
    assert runs["third"]["submissionFailureReason"] == "ValidationException" and "nobody" in runs["third"]["submissionFailureMessage"]
    first = omics.get_run(id=runs["first"]["runId"])
    assert first["batchId"] == made["id"] and first["tags"] == {"a": "1", "b": "2"} and first["parameters"] == {"who": "first"}
    assert first["uuid"] == runs["first"]["runInternalUuid"]
    assert {r["id"] for r in omics.list_runs(batchId=made["id"])["items"]} == {runs["first"]["runId"], runs["second"]["runId"]}
    assert [b["id"] for b in omics.list_batch(status="PROCESSED", maxItems=1)["items"]] == [made["id"]]
    with pytest.raises(ClientError) as caught:
        omics.cancel_run_batch(batchId=made["id"])
    assert code(caught) == ("ConflictException", 409)
    omics.delete_run_batch(batchId=made["id"])
    poll(lambda: omics.get_batch(batchId=made["id"]), lambda b: b["status"] == "RUNS_DELETED")
    assert omics.list_runs(batchId=made["id"])["items"] == []
    omics.delete_batch(batchId=made["id"])
    with pytest.raises(ClientError) as caught:
        omics.get_batch(batchId=made["id"])
    assert code(caught) == ("ResourceNotFoundException", 404)
    omics.delete_workflow(id=workflow)


def test_batches_that_are_refused(omics):
    workflow = omics.create_workflow(definitionZip=archive(main__wdl=HELLO))["id"]
    twice = [{"runSettingId": "x"}, {"runSettingId": "x"}]
    for settings, runs in [
        ({"workflowId": workflow}, {"inlineSettings": twice}),
        ({"workflowId": workflow, "workflowType": "READY2RUN"}, {"inlineSettings": twice[:1]}),
        ({"workflowId": workflow}, {"s3UriSettings": "s3://nowhere/x.json"}),
    ]:
        with pytest.raises(ClientError) as caught:
            omics.start_run_batch(defaultRunSetting={"roleArn": ROLE, "outputUri": "s3://o/", **settings}, batchRunSettings=runs)
        assert code(caught) == ("ValidationException", 400)
    omics.delete_workflow(id=workflow)


def test_a_batch_goes_on_after_a_kill(tmp_path):
    server = Server(tmp_path / "data").start()
    try:
        client = lambda: server.client("omics", config=Config(inject_host_prefix=False, retries={"max_attempts": 0}))
        server.client("s3").create_bucket(Bucket="outputs")
        workflow = client().create_workflow(definitionZip=archive(main__wdl=HELLO))["id"]
        batch = client().start_run_batch(
            defaultRunSetting={"workflowId": workflow, "roleArn": ROLE, "outputUri": "s3://outputs/x", "parameters": {"who": "all"}},
            batchRunSettings={"inlineSettings": [{"runSettingId": f"n{i}"} for i in range(40)]},
        )["id"]
        for _ in range(3):  # in the middle of the submission
            time.sleep(0.1)
            server.stop(signal.SIGKILL)
            server.start()
        got = poll(lambda: client().get_batch(batchId=batch), lambda b: b["status"] == "PROCESSED")
        assert got["runSummary"]["completedRunCount"] == 40, got
        assert got["submissionSummary"]["successfulStartSubmissionCount"] == 40
        runs = [r["id"] for page in client().get_paginator("list_runs").paginate(batchId=batch) for r in page["items"]]
        assert len(runs) == 40
    finally:
        server.stop()


def test_the_cli(server, tmp_path):
    (tmp_path / "w.zip").write_bytes(archive(main__wdl=HELLO))

    def aws(*args):
        done = server.aws("omics", *args)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    made = aws("create-workflow", "--name", "cli", "--definition-zip", f"fileb://{tmp_path}/w.zip", "--tags", "a=1")
    aws("wait", "workflow-active", "--id", made["id"])
    assert aws("get-workflow", "--id", made["id"])["status"] == "ACTIVE"
    aws("tag-resource", "--resource-arn", made["arn"], "--tags", "b=2")
    assert aws("list-tags-for-resource", "--resource-arn", made["arn"])["tags"] == {"a": "1", "b": "2"}
    group = aws("create-run-group", "--name", "cli", "--max-runs", "3")
    assert aws("get-run-group", "--id", group["id"])["maxRuns"] == 3
    aws("delete-run-group", "--id", group["id"])
    cache = aws("create-run-cache", "--cache-s3-location", "s3://some-bucket/x")
    aws("delete-run-cache", "--id", cache["id"])
    aws("delete-workflow", "--id", made["id"])
    done = server.aws("omics", "get-workflow", "--id", made["id"])
    assert done.returncode != 0 and "ResourceNotFoundException" in done.stderr


def test_runs_in_the_cli(server, s3, tmp_path):
    s3.create_bucket(Bucket="cli-outputs")
    (tmp_path / "w.zip").write_bytes(archive(main__wdl=HELLO))
    where = ["--role-arn", ROLE, "--output-uri", "s3://cli-outputs/runs"]

    def aws(*args):
        done = server.aws("omics", *args)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    workflow = aws("create-workflow", "--definition-zip", f"fileb://{tmp_path}/w.zip")["id"]
    aws("create-workflow-version", "--workflow-id", workflow, "--version-name", "v1", "--definition-zip", f"fileb://{tmp_path}/w.zip")
    aws("wait", "workflow-version-active", "--workflow-id", workflow, "--version-name", "v1")
    run = aws("start-run", "--workflow-id", workflow, "--workflow-version-name", "v1", "--parameters", '{"who": "cli"}', *where)["id"]
    # The first look of the waiters is to be the last: the next is half a minute later.
    poll(lambda: aws("get-run", "--id", run), lambda r: r["status"] == "COMPLETED")
    aws("wait", "run-completed", "--id", run)
    tasks = aws("list-run-tasks", "--id", run, "--status", "COMPLETED")["items"]
    assert [t["name"] for t in tasks] == ["say"]
    aws("wait", "task-completed", "--id", run, "--task-id", tasks[0]["taskId"])
    assert [r["id"] for r in aws("list-runs", "--status", "COMPLETED", "--max-items", "1")["items"]] == [run]
    again = aws("start-run", "--run-id", run, *where)["id"]
    poll(lambda: aws("get-run", "--id", again), lambda r: r["status"] == "COMPLETED" and r["parameters"] == {"who": "cli"})
    batch = aws(
        "start-run-batch", "--default-run-setting", json.dumps({"workflowId": workflow, "roleArn": ROLE, "outputUri": "s3://cli-outputs/b"}),
        "--batch-run-settings", json.dumps({"inlineSettings": [{"runSettingId": "a", "parameters": {"who": "a"}}]}),
    )["id"]
    poll(lambda: aws("get-batch", "--batch-id", batch), lambda b: b["status"] == "PROCESSED")
    assert [r["runSettingId"] for r in aws("list-runs-in-batch", "--batch-id", batch)["runs"]] == ["a"]
    aws("delete-run-batch", "--batch-id", batch)
    poll(lambda: aws("get-batch", "--batch-id", batch), lambda b: b["status"] == "RUNS_DELETED")
    aws("delete-batch", "--batch-id", batch)
    for id in run, again:
        aws("delete-run", "--id", id)
    aws("delete-workflow-version", "--workflow-id", workflow, "--version-name", "v1")
    aws("delete-workflow", "--id", workflow)
