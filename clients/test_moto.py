"""AWS operators against an emulator: moto's server.

The same binary and the same definitions as everywhere; only --aws-endpoint
names moto, through a front that answers what moto lacks.
"""

import importlib.util
import io
import json
import pathlib
import re
import subprocess
import time
import zipfile

import pytest

from conftest import BINARY, FINAL, ROOT, Server
from emulator_cases import CASES

if importlib.util.find_spec("moto") is None:
    pytest.skip("moto is not installed: `make moto` does", allow_module_level=True)

import emulator

EXAMPLES = ROOT / ".." / "shared" / "examples" / "definitions"

def created():
    """EMR Serverless, where the first look at an application finds it created, and no more."""
    seen = set()

    def look(operation, _):
        found = re.fullmatch("GET /applications/([^/]+)", operation)
        if not found or found.group(1) in seen:
            return None
        seen.add(found.group(1))
        return {"application": {"applicationId": found.group(1), "arn": "arn", "releaseLabel": "emr-7.2.0", "type": "SPARK", "state": "CREATED", "createdAt": 0, "updatedAt": 0}}

    return look


def script():
    """What moto lacks: applications of EMR Serverless start as they are made, statements of the Redshift Data API never end."""
    return {
        ("emr-serverless", "*"): created(),
        ("redshift-data", "ExecuteStatement"): {"Id": "s1"},
        ("redshift-data", "BatchExecuteStatement"): {"Id": "s2"},
        ("redshift-data", "DescribeStatement"): lambda _, told: {"Id": told["Id"], "Status": "FINISHED", "HasResultSet": told["Id"] == "s1"},
        ("redshift-data", "GetStatementResult"): {"Records": [[{"longValue": 1}]], "ColumnMetadata": [{"name": "n"}]},
    }


def missing():
    """Names the operators that this binary accepts but does not run."""
    said = subprocess.run([BINARY, "operators"], check=True, capture_output=True, text=True).stdout
    return set(re.findall(r"^\s*(\w+) .*cannot run it", said, re.M))


def known(value, names):
    """Puts the names of what furnish made into arguments."""
    text = json.dumps(value)
    for name, is_ in names.items():
        text = text.replace(f"@{name}@", is_)
    return json.loads(text)


class World:
    """moto, the front, and a server whose tasks call it."""

    def __init__(self, directory, script):
        self.moto = emulator.Moto()
        self.front = None
        try:
            self.names = emulator.furnish(self.moto.port)
            self.front = emulator.Front(self.moto.port, script)
            # Keys of the server's own mean nothing to another S3.
            roles = directory / "roles.json"
            roles.write_text(json.dumps({"etl": {"assume": "host", "endpoint": self.front.url}}))
            self.server = Server(
                directory / "data", "--aws-endpoint", self.front.url, "--s3-endpoint", self.front.url, "--region", emulator.REGION, "--roles", str(roles),
            ).start()
        except BaseException:
            self.stop()
            raise
        self.s3, self.mwaa = self.aws("s3"), self.server.client("mwaa-serverless")

    def aws(self, service):
        return emulator.client(self.moto.port, service)

    def stop(self):
        if hasattr(self, "server"):
            self.server.stop()
        if self.front:
            self.front.stop()
        self.moto.stop()

    def begin(self, name, definition, **more):
        self.s3.put_object(Bucket="store", Key=f"wf/{name}.yaml", Body=definition)
        arn = self.mwaa.create_workflow(Name=name, RoleArn=emulator.ROLE, DefinitionS3Location={"Bucket": "store", "ObjectKey": f"wf/{name}.yaml"}, **more)["WorkflowArn"]
        return arn, self.mwaa.start_workflow_run(WorkflowArn=arn)["RunId"]

    def end(self, arn, run, seconds=300):
        """Waits for a run and returns its state and its tasks by id."""
        deadline = time.monotonic() + seconds
        while (state := self.mwaa.get_workflow_run(WorkflowArn=arn, RunId=run)["RunDetail"]["RunState"]) not in FINAL:
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)
        found = {}
        for page in self.mwaa.get_paginator("list_task_instances").paginate(WorkflowArn=arn, RunId=run):
            for row in page["TaskInstances"]:
                t = self.mwaa.get_task_instance(WorkflowArn=arn, RunId=run, TaskInstanceId=row["TaskInstanceId"])
                found[t["TaskId"]] = t
        return state, found


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true"}.items():
            patch.setenv(name, value)
        w = World(tmp_path_factory.mktemp("moto"), script())
        yield w
        w.stop()


@pytest.fixture(scope="module")
def ran(world):
    """Runs every case as a task of one workflow; those of a service in a row."""
    absent, last, tasks = missing(), {}, {}
    for name, (path, args, _) in CASES.items():
        if path.rpartition(".")[2] in absent:
            continue
        service = name.partition("-")[0]
        tasks[name] = {"operator": path, "trigger_rule": "all_done", "retries": 0, **known(args, world.names)}
        if service in last:
            tasks[name]["dependencies"] = [last[service]]
        last[service] = name
    return world.end(*world.begin("cases", json.dumps({"cases": {"tasks": tasks}})))[1]


@pytest.mark.parametrize("name", CASES)
def test_case(ran, name):
    path, _, want = CASES[name]
    if name not in ran:
        pytest.skip(f"{path.rpartition('.')[2]} does not run here")
    t = ran[name]
    assert t["Status"] == "SUCCESS", t.get("ErrorMessage")
    got = t.get("Xcom", {}).get("return_value")
    if want is None:
        assert got is None
    else:
        assert got is not None and re.search(want, got), got


def test_what_moto_has(world, ran):
    """The calls did what they say."""
    assert world.s3.get_object(Bucket="store", Key="new")["Body"].read().decode() == "é"
    assert "fresh" in [b["Name"] for b in world.s3.list_buckets()["Buckets"]]
    assert world.aws("lambda").get_function(FunctionName="f1")["Configuration"]["MemorySize"] == 256
    assert world.aws("stepfunctions").describe_execution(executionArn=world.names["execution"][:-3] + "two")["input"] == '{"n": 1}'
    assert world.aws("glue").get_database(Name="fresh")["Database"]["Description"] == "d"
    assert world.aws("events").describe_rule(Name="daily")["ScheduleExpression"] == "rate(1 day)"
    assert world.aws("rds").describe_db_instances(DBInstanceIdentifier="db9")["DBInstances"][0]["Engine"] == "postgres"
    assert world.aws("cloudformation").describe_stacks(StackName="fresh")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"


@pytest.fixture(scope="module")
def examples(world):
    """Starts all examples, whose definitions nobody adjusts."""
    for bucket in ("example-query-results", "example-audit", "example-code", "example-drafts"):
        world.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": emulator.REGION})
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as z:
        z.writestr("tidy.py", 'def count_lines(path): return {"path": path, "lines": 3}\n'
                              'def shout(**context): return str(context["ti"].xcom_pull(task_ids="count")["lines"]) + "!"\n')
    world.s3.put_object(Bucket="example-code", Key="tidy.zip", Body=package.getvalue())
    runs = {}
    for file in sorted(EXAMPLES.glob("[01]*.yaml")):
        text = file.read_text()
        lacks = sorted(c for c in missing() if re.search(rf"\.{c}$", text, re.M))
        if lacks:
            runs[file.stem] = lacks
            continue
        more = {"Code": {"S3Location": {"Bucket": "example-code", "ObjectKey": "tidy.zip"}}} if file.stem.startswith("11") else {}
        runs[file.stem] = world.begin(file.stem, text, **more)
    return runs


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="no example definitions beside the repository")
@pytest.mark.parametrize("name", sorted(f.stem for f in EXAMPLES.glob("[01]*.yaml")))
def test_example(world, examples, name):
    if isinstance(examples[name], list):
        pytest.skip("not to be run here: " + ", ".join(examples[name]))
    state, tasks = world.end(*examples[name])
    skipped = {"maybe", "after_maybe"} if name.startswith("11") else set()
    bad = {k: t.get("ErrorMessage", t["Status"]) for k, t in tasks.items() if t["Status"] != ("NONE" if k in skipped else "SUCCESS")}
    assert (state, bad) == ("SUCCESS", {})
