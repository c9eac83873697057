"""Events delivered to SQS, SNS and EventBridge of moto's server."""

import importlib.util
import json
import time
import uuid

import pytest

from conftest import ROLE, Server

if importlib.util.find_spec("moto") is None:
    pytest.skip("moto is not installed: `make moto` does", allow_module_level=True)

import emulator

DEFINITION = "told: {tasks: {one: {operator: airflow.operators.bash.BashOperator, bash_command: 'true'}}}"
WANT = [
    "Workflow Run Started", "Workflow Run Running", "Task Scheduled", "Task Queued", "Task Running", "Task Succeeded", "Workflow Run Succeeded",
]


@pytest.fixture(scope="module")
def moto():
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true"}.items():
            patch.setenv(name, value)
        m = emulator.Moto()
        yield m
        m.stop()


def drained(sqs, queue, want):
    """The bodies of a queue's messages, once there are so many."""
    found = []
    deadline = time.monotonic() + 60
    while len(found) < want and time.monotonic() < deadline:
        for m in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", []):
            found.append(json.loads(m["Body"]))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=m["ReceiptHandle"])
    return found


def test_events(moto, tmp_path):
    sqs, sns, bridge = (emulator.client(moto.port, s) for s in ("sqs", "sns", "events"))
    queues = {}
    for name, more in {"plain": {}, "ordered.fifo": {"FifoQueue": "true"}, "topic": {}, "bus": {}}.items():
        url = sqs.create_queue(QueueName=name, Attributes=more)["QueueUrl"]
        queues[name] = url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name="runs")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queues["topic"][1], Attributes={"RawMessageDelivery": "true"})
    bridge.put_rule(Name="runs", EventPattern=json.dumps({"source": ["aws.airflow-serverless"], "detail": {"taskId": ["one"]}}))
    bridge.put_targets(Rule="runs", Targets=[{"Id": "q", "Arn": queues["bus"][1]}])

    sinks = tmp_path / "sinks.json"
    sinks.write_text(json.dumps({"sinks": [
        {"name": "plain", "to": "sqs:" + queues["plain"][0]},
        {"name": "ordered", "to": "sqs:" + queues["ordered.fifo"][0]},
        {"name": "topic", "to": "sns:" + topic},
        {"name": "bus", "to": "eventbridge:default"},
    ]}))
    server = Server(tmp_path / "data", "--events", str(sinks), "--aws-endpoint", f"http://127.0.0.1:{moto.port}", "--region", emulator.REGION).start()
    try:
        s3, mwaa = server.client("s3"), server.client("mwaa-serverless")
        s3.create_bucket(Bucket="workflows", CreateBucketConfiguration={"LocationConstraint": emulator.REGION})
        s3.put_object(Bucket="workflows", Key="wf", Body=DEFINITION)
        arn = mwaa.create_workflow(Name="wf-" + uuid.uuid4().hex[:8], RoleArn=ROLE, DefinitionS3Location={"Bucket": "workflows", "ObjectKey": "wf"})["WorkflowArn"]
        run = mwaa.start_workflow_run(WorkflowArn=arn)["RunId"]
        for name in ("plain", "ordered.fifo", "topic"):
            found = drained(sqs, queues[name][0], len(WANT))
            found.sort(key=lambda e: (e["detail"]["revision"], e["detail"]["position"]))
            assert [e["detail-type"].removeprefix("MWAA Serverless ") for e in found] == WANT, name
            assert {e["detail"]["runId"] for e in found} == {run} and found[0]["resources"] == [arn]
        # The rule's pattern lets through what is about the task alone.
        bus = drained(sqs, queues["bus"][0], 4)
        assert {e["detail-type"] for e in bus} == {"MWAA Serverless Task " + k for k in ("Scheduled", "Queued", "Running", "Succeeded")}
        assert bus[0]["source"] == "aws.airflow-serverless" and bus[0]["detail"]["workflowArn"] == arn
    finally:
        server.stop()
