"""An AWS to run operators against: moto's server, and what stands in front.

The front passes requests on to moto, notes them, and answers those that moto
cannot. Both are on loopback.
"""

import http.client
import http.server
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

import boto3

REGION, ACCOUNT = "eu-west-1", "000000000000"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/etl"


def operation(method, path, headers, body):
    """Returns (service, operation, members) of a request, as far as they show."""
    scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", headers.get("Authorization", ""))
    service = scope.group(1) if scope else ""
    text = body.decode("utf-8", "replace")
    if target := headers.get("X-Amz-Target"):
        return service, target.rpartition(".")[2], json.loads(text or "{}")
    if "x-www-form-urlencoded" in headers.get("Content-Type", ""):
        form = dict(urllib.parse.parse_qsl(text, keep_blank_values=True))
        form.pop("Version", None)
        return service, form.pop("Action", ""), form
    if "cbor" in headers.get("Smithy-Protocol", ""):
        return service, path.rpartition("/")[2], {"cbor": len(body)}
    path, _, query = path.partition("?")
    query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
    query.pop("x-id", None)  # which SDKs add for logs
    name = f"{method} {path.rstrip('/') or '/'}"
    try:
        return service, name, {**query, "body": json.loads(text)} if text else query
    except ValueError:
        return service, name, {**query, "body": text}


class Moto:
    """A moto server in a process of its own."""

    def __init__(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        env.update(MOTO_ACCOUNT_ID=ACCOUNT, AWS_CONFIG_FILE="/dev/null", AWS_SHARED_CREDENTIALS_FILE="/dev/null", AWS_EC2_METADATA_DISABLED="true")
        self.process = subprocess.Popen(
            [sys.executable, "-B", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)],
            env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 120
        while True:
            try:
                self.post("config", {"batch": {"use_docker": False}, "lambda": {"use_docker": False}, "stepfunctions": {"execute_state_machine": True}})
                return
            except OSError as e:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("moto's server did not come up") from e
            time.sleep(0.1)

    def post(self, what, body=None):
        data = json.dumps(body).encode() if body is not None else b""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/moto-api/{what}", data, headers, method="POST")
        urllib.request.urlopen(request, timeout=30).read()

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


class Front:
    """A proxy that notes the calls; script answers some in moto's place.

    script has (service, operation), where "*" is any, to a JSON value, or to a
    function of operation and members that returns one; None is left to moto.
    """

    def __init__(self, port, script=None):
        self.script, self.calls, lock = script or {}, [], threading.Lock()
        front = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                call = operation(self.command, self.path, self.headers, body)
                with lock:
                    front.calls.append(call)
                    said = front.script.get(call[:2]) or front.script.get((call[0], "*"))
                    if callable(said):
                        said = said(*call[1:])
                if said is not None:
                    reply = json.dumps(said).encode()
                    status, headers = 200, [("Content-Type", "application/x-amz-json-1.1")]
                else:
                    upstream = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                    upstream.request(self.command, self.path, body, dict(self.headers))
                    got = upstream.getresponse()
                    status, reply = got.status, got.read()
                    headers = [(k, v) for k, v in got.getheaders() if k.lower() not in ("transfer-encoding", "connection", "content-length", "date", "server")]
                    if self.command == "HEAD":
                        headers.append(("Content-Length", got.getheader("Content-Length") or "0"))
                    upstream.close()
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                if self.command != "HEAD":
                    self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(reply)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def client(port, service):
    return boto3.client(
        service, endpoint_url=f"http://127.0.0.1:{port}", region_name=REGION, aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="secret",
    )


TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "*"}, "Action": "sts:AssumeRole"}]})
PASS = json.dumps({"StartAt": "p", "States": {"p": {"Type": "Pass", "End": True}}})


def furnish(port):
    """Puts into moto what cases and examples use, and returns the names of it."""
    c = lambda service: client(port, service)
    known = {"role": ROLE}
    iam = c("iam")
    for role in ("etl", "spark-runtime"):
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=TRUST)
    sqs = c("sqs")
    known["queue"] = sqs.create_queue(QueueName="handshake")["QueueUrl"]
    known["topic"] = c("sns").create_topic(Name="lead-scores")["TopicArn"]
    db = c("dynamodb")
    db.create_table(TableName="orders", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                    AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}])
    db.put_item(TableName="orders", Item={"id": {"S": "1"}, "state": {"S": "paid"}})
    s3 = c("s3")
    for bucket in ("store", "code", "spare"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    for key in ("in/a.csv", "in/b.csv", "deep/x/1", "deep/y/2"):
        s3.put_object(Bucket="store", Key=key, Body=key.encode())
    s3.put_bucket_tagging(Bucket="store", Tagging={"TagSet": [{"Key": "team", "Value": "data"}]})
    # moto's simple Lambda does not look into the archive.
    c("lambda").create_function(FunctionName="score-leads", Runtime="python3.12", Role=ROLE, Handler="f.f", Code={"ZipFile": b"PK\x05\x06" + bytes(18)})
    states = c("stepfunctions")
    known["machine"] = states.create_state_machine(name="orders", definition=PASS, roleArn=ROLE)["stateMachineArn"]
    known["execution"] = states.start_execution(stateMachineArn=known["machine"], name="one", input="{}")["executionArn"]
    known["query"] = c("athena").start_query_execution(QueryString="SELECT 1", ResultConfiguration={"OutputLocation": "s3://store/out/"})["QueryExecutionId"]
    glue = c("glue")
    for job in ("clean-clickstream", "tidy"):
        glue.create_job(Name=job, Role=ROLE, Command={"Name": "glueetl", "ScriptLocation": "s3://code/clean.py"})
    known["glue_run"] = glue.start_job_run(JobName="tidy")["JobRunId"]
    glue.create_database(DatabaseInput={"Name": "retail"})
    batch, ec2 = c("batch"), c("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    place = {"type": "FARGATE", "maxvCpus": 4, "subnets": [subnet], "securityGroupIds": [ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]]}
    env = batch.create_compute_environment(computeEnvironmentName="env", type="MANAGED", state="ENABLED", computeResources=place, serviceRole=ROLE)
    batch.create_job_queue(jobQueueName="thumbs", state="ENABLED", priority=1,
                           computeEnvironmentOrder=[{"order": 1, "computeEnvironment": env["computeEnvironmentArn"]}])
    for _ in range(4):  # the example names the fourth revision
        batch.register_job_definition(jobDefinitionName="thumbs", type="container", containerProperties={"image": "thumbs", "vcpus": 1, "memory": 128, "command": ["true"]})
    known["batch_job"] = batch.submit_job(jobName="earlier", jobQueue="thumbs", jobDefinition="thumbs")["jobId"]
    image = ec2.describe_images()["Images"][0]["ImageId"]
    known["instance"] = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro")["Instances"][0]["InstanceId"]
    known["stopped"] = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro")["Instances"][0]["InstanceId"]
    ec2.stop_instances(InstanceIds=[known["stopped"]])
    rds = c("rds")
    for name in ("db1", "db2", "db3"):
        rds.create_db_instance(DBInstanceIdentifier=name, DBInstanceClass="db.t3.micro", Engine="postgres", AllocatedStorage=20, MasterUsername="me", MasterUserPassword="a-secret-word")
    rds.stop_db_instance(DBInstanceIdentifier="db3")
    redshift = c("redshift")
    for name in ("wh1", "wh2", "wh3"):
        redshift.create_cluster(ClusterIdentifier=name, NodeType="ra3.large", MasterUsername="me", MasterUserPassword="A-secret-word1")
    redshift.pause_cluster(ClusterIdentifier="wh3")
    emr = c("emr")
    known["cluster"] = emr.run_job_flow(Name="steady", ReleaseLabel="emr-7.2.0", JobFlowRole="etl", ServiceRole="etl",
                                        Instances={"MasterInstanceType": "m5.large", "InstanceCount": 1, "KeepJobFlowAliveWhenNoSteps": True})["JobFlowId"]
    known["application"] = c("emr-serverless").create_application(name="steady", releaseLabel="emr-7.2.0", type="SPARK")["applicationId"]
    c("events").put_rule(Name="hourly", ScheduleExpression="rate(1 hour)")
    c("cloudformation").create_stack(StackName="steady", TemplateBody=json.dumps({"Resources": {"T": {"Type": "AWS::SNS::Topic"}}}))
    ecs = c("ecs")
    ecs.create_cluster(clusterName="main")
    known["task_definition"] = ecs.register_task_definition(family="work", containerDefinitions=[{"name": "work", "image": "work", "memory": 64}])["taskDefinition"]["taskDefinitionArn"]
    sage = c("sagemaker")
    sage.create_model(ModelName="m0", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": "i", "ModelDataUrl": "s3://store/m"})
    sage.create_endpoint_config(EndpointConfigName="c0", ProductionVariants=[{"VariantName": "v", "ModelName": "m0", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}])
    return known
