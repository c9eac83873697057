"""The life of a run of HealthOmics, in boto3: inputs in S3 to outputs in S3,
tasks, logs and manifest."""

import io
import json
import signal
import time
import urllib.request
import uuid
import zipfile

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, WaiterError

from conftest import Server

GROUP = "/aws/omics/WorkflowLog"
COUNT = """\
version 1.1
task count {
  input { File text }
  command <<< wc -l < ~{text} | tee lines; echo "counted ~{basename(text)}" >&2 >>>
  output { File lines = "lines" }
  runtime { cpu: 8  memory: "64 GiB" }
}
workflow counting {
  input { Array[File] texts }
  scatter (t in texts) { call count { input: text = t } }
  output { Array[File] counts = count.lines }
}
"""
FAILS = """\
version 1.0
task luckless { command { echo out of luck >&2; exit 4 } runtime { maxRetries: 1 } }
workflow main { call luckless }
"""
PARTS = """\
version 1.1
task part {
  input { File text  Int n }
  command <<< date +%s%N > when; head -~{n} ~{text} > head >>>
  output { File when = "when"  File head = "head" }
}
task judge {
  input { Array[File] parts  Boolean good }
  command <<< ~{if good then "cat ~{sep(' ', parts)}" else "exit 3"} >>>
  output { File all = stdout() }
}
workflow main {
  input { File text  Boolean good = true }
  scatter (n in [1, 2]) { call part { input: text, n } }
  call judge { input: parts = part.head, good }
  output { File all = judge.all  Array[File] whens = part.when }
}
"""
SLEEPS = """\
version 1.0
task wait { command { sleep 120 } }
workflow main { call wait }
"""


@pytest.fixture(scope="module")
def omics(server):
    return server.client("omics", config=Config(inject_host_prefix=False))


@pytest.fixture(scope="module")
def define(omics):
    def make(text):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as z:
            z.writestr("main.wdl", text)
        made = omics.create_workflow(name="w-" + uuid.uuid4().hex[:8], definitionZip=out.getvalue())
        omics.get_waiter("workflow_active").wait(id=made["id"], WaiterConfig={"Delay": 1})
        return made["id"]

    return make


@pytest.fixture
def start(omics, bucket):
    def run(**more):
        more.setdefault("roleArn", "arn:aws:iam::111122223333:role/omics")
        more.setdefault("outputUri", f"s3://{bucket}/results/")
        return omics.start_run(**more)

    return run


def until(ask, want, seconds=300):
    deadline = time.monotonic() + seconds
    while (got := ask()["status"]) not in want:
        assert time.monotonic() < deadline, got
        time.sleep(0.1)
    return ask()


ENDED = {"COMPLETED", "FAILED", "CANCELLED"}


def test_life_of_a_run(omics, s3, logs, bucket, define, start):
    for name, text in [("a.txt", "1\n2\n"), ("b.txt", "1\n2\n3\n")]:
        s3.put_object(Bucket=bucket, Key="texts/" + name, Body=text.encode())
    inputs = [f"s3://{bucket}/texts/a.txt", f"s3://{bucket}/texts/b.txt"]
    workflow = define(COUNT)
    made = start(workflowId=workflow, name="counts", parameters={"texts": inputs}, tags={"k": "v"}, priority=3, storageType="STATIC")
    assert made["status"] in ("PENDING", "RUNNING") and made["tags"] == {"k": "v"}
    assert made["runOutputUri"] == f"s3://{bucket}/results/{made['id']}"
    omics.get_waiter("run_completed").wait(id=made["id"], WaiterConfig={"Delay": 1})

    run = omics.get_run(id=made["id"], export=["DEFINITION"])
    assert run["uuid"] == made["uuid"] and run["workflowId"] == workflow and run["priority"] == 3
    assert run["parameters"] == {"texts": inputs} and run["storageCapacity"] == 1200 and run["retentionMode"] == "RETAIN"
    assert set(run["resourceDigests"]) == set(inputs) and all(d.startswith("etag:") for d in run["resourceDigests"].values())
    assert run["creationTime"] <= run["startTime"] <= run["stopTime"]
    assert zipfile.ZipFile(io.BytesIO(urllib.request.urlopen(run["definition"]).read())).namelist() == ["main.wdl"]
    assert made["id"] in [r["id"] for page in omics.get_paginator("list_runs").paginate(name="counts", status="COMPLETED") for r in page["items"]]

    base = f"results/{made['id']}/"
    outputs = json.loads(s3.get_object(Bucket=bucket, Key=base + "logs/outputs.json")["Body"].read())
    assert outputs == {"counting.counts": [f"s3://{bucket}/{base}out/counts/{i}/lines" for i in range(2)]}
    assert s3.get_object(Bucket=bucket, Key=base + "out/counts/1/lines")["Body"].read().strip() == b"3"
    assert b"COMPLETED" in s3.get_object(Bucket=bucket, Key=base + "logs/engine.log")["Body"].read()

    pages = omics.get_paginator("list_run_tasks").paginate(id=made["id"], PaginationConfig={"PageSize": 1})
    tasks = [t for page in pages for t in page["items"]]
    assert [t["name"] for t in tasks] == ["count-0-0", "count-0-1"]
    omics.get_waiter("task_completed").wait(id=made["id"], taskId=tasks[0]["taskId"], WaiterConfig={"Delay": 1})
    task = omics.get_run_task(id=made["id"], taskId=tasks[1]["taskId"])
    assert (task["cpus"], task["memory"], task["gpus"], task["instanceType"]) == (8, 64, 0, "omics.r.2xlarge")
    assert task["creationTime"] <= task["startTime"] <= task["stopTime"] and task["status"] == "COMPLETED"

    def read(stream):
        return [e["message"] for e in logs.get_log_events(logGroupName=GROUP, logStreamName=stream, startFromHead=True)["events"]]

    group, stream = task["logStream"].split(":log-group:")[1].split(":log-stream:")
    assert group == GROUP and any("counted b.txt" in line for line in read(stream))
    assert any("COMPLETED" in line for line in read(run["logLocation"]["engineLogStream"].split(":log-stream:")[1]))
    assert any("COMPLETED" in line for line in read(f"run/{made['id']}"))
    records = [json.loads(line) for line in read(f"manifest/run/{made['id']}/{made['uuid']}")]
    assert records[0]["arn"] == made["arn"] and records[0]["status"] == "COMPLETED" and records[0]["metrics"]["runningSeconds"] > 0
    assert [(r["name"], r["cpus"], r["instanceType"]) for r in records[1:]] == [(f"count-0-{i}", 8, "omics.r.2xlarge") for i in range(2)]
    streams = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=f"run/{made['id']}/task/")["logStreams"]
    assert len(streams) == 2

    # The same once more: what is not said is as it was.
    again = start(runId=made["id"], name="repeated")
    got = until(lambda: omics.get_run(id=again["id"]), ENDED)
    assert got["status"] == "COMPLETED" and got["runId"] == made["id"] and got["name"] == "repeated" and got["parameters"] == {"texts": inputs}

    omics.delete_run(id=made["id"])
    with pytest.raises(ClientError) as caught:
        omics.get_run(id=made["id"])
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"
    assert s3.get_object(Bucket=bucket, Key=base + "logs/outputs.json")["Body"].read()


def test_a_run_that_fails(omics, define, start):
    made = start(workflowId=define(FAILS))
    with pytest.raises(WaiterError):
        omics.get_waiter("run_completed").wait(id=made["id"], WaiterConfig={"Delay": 1})
    run = omics.get_run(id=made["id"])
    assert run["status"] == "FAILED" and run["failureReason"] == "RUN_TASK_FAILED" and "exit code 4" in run["statusMessage"]
    (item,) = omics.list_run_tasks(id=made["id"], status="FAILED")["items"]
    task = omics.get_run_task(id=made["id"], taskId=item["taskId"])
    assert task["failureReason"] == "RUN_TASK_FAILED" and "out of luck" in task["statusMessage"]


HALF = """\
version 1.1
task make { input { Int i } command <<< echo ~{i} > made.txt; exit ~{i} >>> output { File made = "made.txt" } }
workflow main {
  call make as first { input: i = 0 }
  scatter (i in [0, 3]) { call make { input: i = i + if defined(first.made) then 0 else 1 } }
  output { File one = first.made  Array[File] all = make.made }
}
"""


def test_what_is_finished_of_a_run_that_fails(omics, s3, bucket, define, start):
    made = start(workflowId=define(HALF))
    run = until(lambda: omics.get_run(id=made["id"]), ENDED)
    assert run["status"] == "FAILED" and run["failureReason"] == "RUN_TASK_FAILED"
    base = f"results/{made['id']}/"
    keys = {o["Key"][len(base) :] for o in s3.list_objects_v2(Bucket=bucket, Prefix=base)["Contents"]}
    # The element that succeeds may have been ended by the one that fails.
    assert {"logs/engine.log", "logs/partial_outputs.json", "out/one/made.txt"} <= keys <= {"logs/engine.log", "logs/partial_outputs.json", "out/one/made.txt", "out/all/0/made.txt"}
    assert json.loads(s3.get_object(Bucket=bucket, Key=base + "logs/partial_outputs.json")["Body"].read())["main.one"] == f"s3://{bucket}/{base}out/one/made.txt"


def test_refusals(omics, define, start, bucket):
    workflow = define(COUNT)
    for more, want in [
        ({"workflowId": workflow, "parameters": {"texts": [], "text": 1}}, ("ValidationException", "text")),
        ({"workflowId": workflow, "parameters": {"texts": "none"}}, ("ValidationException", "texts")),
        ({"workflowId": workflow}, ("ValidationException", "texts")),
        ({"workflowId": "9999999"}, ("ResourceNotFoundException", "9999999")),
        ({"runId": "9999999"}, ("ResourceNotFoundException", "9999999")),
        ({"workflowId": workflow, "parameters": {"texts": []}, "outputUri": "https://x/y"}, ("ValidationException", "outputUri")),
    ]:
        with pytest.raises(ClientError) as caught:
            start(**more)
        error = caught.value.response["Error"]
        assert error["Code"] == want[0] and want[1] in error["Message"], (more, error)
    made = start(workflowId=workflow, parameters={"texts": [f"s3://{bucket}/not-there"]})
    run = until(lambda: omics.get_run(id=made["id"]), ENDED)
    assert run["failureReason"] == "INPUT_URI_NOT_FOUND" and "not-there" in run["statusMessage"]


def test_cancel_and_groups(omics, define, start):
    workflow = define(SLEEPS)
    group = omics.create_run_group(maxRuns=1, maxCpus=4)["id"]
    first = start(workflowId=workflow, runGroupId=group, requestId="only-once-" + group)["id"]
    assert start(workflowId=workflow, runGroupId=group, requestId="only-once-" + group)["id"] == first
    second = start(workflowId=workflow, runGroupId=group)["id"]
    omics.get_waiter("run_running").wait(id=first, WaiterConfig={"Delay": 1})
    (item,) = omics.list_run_tasks(id=first)["items"]
    omics.get_waiter("task_running").wait(id=first, taskId=item["taskId"], WaiterConfig={"Delay": 1})
    assert omics.get_run(id=second)["status"] == "PENDING"
    with pytest.raises(ClientError) as caught:
        omics.delete_run(id=first)
    assert caught.value.response["Error"]["Code"] == "ConflictException"
    omics.cancel_run(id=first)
    until(lambda: omics.get_run(id=first), {"CANCELLED"})
    assert omics.get_run_task(id=first, taskId=item["taskId"])["status"] == "CANCELLED"
    until(lambda: omics.get_run(id=second), {"RUNNING"})
    omics.cancel_run(id=second)
    until(lambda: omics.get_run(id=second), {"CANCELLED"})
    with pytest.raises(ClientError) as caught:
        omics.cancel_run(id=second)
    assert caught.value.response["Error"]["Code"] == "ConflictException"
    omics.delete_run(id=second)


def test_limits_that_change(omics, define, start):
    workflow = define(SLEEPS)
    group = omics.create_run_group(maxRuns=1, maxCpus=1)["id"]
    first, second = (start(workflowId=workflow, runGroupId=group)["id"] for _ in range(2))
    until(lambda: omics.get_run(id=first), {"RUNNING"})
    assert omics.get_run(id=second)["status"] == "PENDING"
    omics.update_run_group(id=group, maxRuns=2)
    until(lambda: omics.get_run(id=second), {"RUNNING"})

    def task(run):
        return (omics.list_run_tasks(id=run)["items"] or [{"status": "none"}])[0]

    until(lambda: task(first), {"RUNNING"})
    until(lambda: task(second), {"PENDING"})
    waits = omics.get_run_task(id=second, taskId=task(second)["taskId"])
    assert waits["status"] == "PENDING"
    assert waits["statusMessage"] == "waits for 1 processor and 1 GiB of memory in its run group, with 0 of 1 processors free"
    omics.update_run_group(id=group, maxCpus=2)
    until(lambda: task(second), {"RUNNING"})
    for run in (first, second):
        omics.cancel_run(id=run)
        until(lambda: omics.get_run(id=run), {"CANCELLED"})


def test_a_run_that_takes_too_long(omics, define, start):
    group = omics.create_run_group(maxDuration=1)["id"]  # a minute: the least that there is
    overdue = start(workflowId=define(SLEEPS), runGroupId=group)["id"]
    run = until(lambda: omics.get_run(id=overdue), ENDED, 90)
    assert run["status"] == "FAILED" and run["failureReason"] == "RUN_TIMED_OUT", run
    assert 59 < (run["stopTime"] - run["startTime"]).total_seconds() < 75
    (item,) = omics.list_run_tasks(id=overdue)["items"]
    assert item["status"] == "CANCELLED"


def test_a_run_cache(tmp_path):
    """What succeeded in a run that failed is not done again, across a kill, until
    somebody changes it."""
    server = Server(tmp_path / "data").start()
    try:
        omics = lambda: server.client("omics", config=Config(inject_host_prefix=False))
        s3 = lambda: server.client("s3")
        s3().create_bucket(Bucket="cached")
        s3().put_object(Bucket="cached", Key="in/text", Body=b"one\ntwo\nthree\n")
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as z:
            z.writestr("main.wdl", PARTS)
        workflow = omics().create_workflow(definitionZip=out.getvalue())["id"]
        omics().get_waiter("workflow_active").wait(id=workflow, WaiterConfig={"Delay": 1})
        cache = omics().create_run_cache(cacheS3Location="s3://cached/cache/", name="c")
        assert cache["status"] == "ACTIVE"

        def run(good, **more):
            made = omics().start_run(
                workflowId=workflow, roleArn="arn:aws:iam::111122223333:role/omics", outputUri="s3://cached/out", cacheId=cache["id"],
                parameters={"text": "s3://cached/in/text", "good": good}, **more,
            )
            return until(lambda: omics().get_run(id=made["id"]), ENDED)

        def hits(of):
            tasks = omics().list_run_tasks(id=of["id"])["items"]
            for t in tasks:
                one = omics().get_run_task(id=of["id"], taskId=t["taskId"])
                assert one["cacheHit"] == t["cacheHit"] and one.get("cacheS3Uri") == t.get("cacheS3Uri")
                assert one["cacheHit"] == one.get("cacheS3Uri", "").startswith("s3://cached/cache/")
            return {t["name"]: t["cacheHit"] for t in tasks}

        def read(of, name):
            return s3().get_object(Bucket="cached", Key=f"out/{of['id']}/out/{name}")["Body"].read()

        failed = run(False)
        assert failed["status"] == "FAILED" and failed["cacheId"] == cache["id"] and failed["cacheBehavior"] == "CACHE_ON_FAILURE"
        assert hits(failed) == {"part-0-0": False, "part-0-1": False, "judge": False}
        server.stop(signal.SIGKILL)
        server.start()

        first = run(True, cacheBehavior="CACHE_ALWAYS")
        assert first["status"] == "COMPLETED" and first["cacheBehavior"] == "CACHE_ALWAYS"
        assert hits(first) == {"part-0-0": True, "part-0-1": True, "judge": False}
        second = run(True)
        assert hits(second) == {"part-0-0": True, "part-0-1": True, "judge": True}
        for i in range(2):
            assert read(first, f"whens/{i}/when") == read(second, f"whens/{i}/when")

        logs = server.client("logs")
        streams = [s["logStreamName"] for s in logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=f"runCache/{cache['id']}/")["logStreams"]]
        assert len(streams) == 1
        for stream, words in [
            (streams[0], ["CACHE_ENTRY_CREATED", "CACHE_HIT", "CACHE_MISS"]), (f"run/{first['id']}", ["CACHE_HIT", "CACHE_MISS"]),
            (f"run/{first['id']}/engine", ["cache hit: s3://cached/cache/", "cache miss: no entry"]),
        ]:
            lines = [e["message"] for e in logs.get_log_events(logGroupName=GROUP, logStreamName=stream, startFromHead=True)["events"]]
            assert all(any(w in line for line in lines) for w in words), lines
        events = logs.get_log_events(logGroupName=GROUP, logStreamName=f"manifest/run/{first['id']}/{first['uuid']}", startFromHead=True)["events"]
        records = [json.loads(e["message"]) for e in events]
        assert records[0]["runCache"] == cache["arn"]
        assert all(r["cacheHit"] and r["cacheS3Uri"] and "metrics" not in r for r in records[1:] if r["name"] != "judge")
        assert all("no entry" in r["cacheMiss"] and r["metrics"] for r in records[1:] if r["name"] == "judge")

        # Somebody changes what is in the cache: it is made again, and the run goes on.
        for o in s3().list_objects_v2(Bucket="cached", Prefix="cache/")["Contents"]:
            if o["Key"].endswith("/when"):
                s3().put_object(Bucket="cached", Key=o["Key"], Body=b"tampered")
        third = run(True)
        assert third["status"] == "COMPLETED"
        assert hits(third) == {"part-0-0": False, "part-0-1": False, "judge": True}
        assert read(third, "whens/0/when") not in (b"tampered", read(first, "whens/0/when"))

        omics().delete_run_cache(id=cache["id"])
        assert any(o["Key"].endswith("/head") for o in s3().list_objects_v2(Bucket="cached", Prefix="cache/")["Contents"])
        with pytest.raises(ClientError) as caught:
            run(True)
        assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"
    finally:
        server.stop()
