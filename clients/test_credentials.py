"""Credentials of tasks, as botocore and the AWS CLI ask for them."""

import json
import pathlib
import signal
import socket
import subprocess
import sys
import time

import botocore.session
import pytest
from botocore.exceptions import ClientError

from conftest import ROLE, Server

WAITING = """\
waiting:
  tasks:
    t:
      operator: airflow.operators.bash.BashOperator
      retries: 0
      bash_command: |
        printenv AWS_CONTAINER_CREDENTIALS_FULL_URI AWS_CONTAINER_AUTHORIZATION_TOKEN AWS_ENDPOINT_URL > part
        mv part keys
        while [ ! -e done ]; do sleep 0.1; done
"""


def until(what, seconds=300):
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)
    return found


def test_keys_are_renewed_and_end_with_the_attempt(tmp_path, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = tmp_path / "data"
    data.mkdir()
    (data / "roles.json").write_text(json.dumps({"etl": {"policy": {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::workflows/*"}]}}}))
    s = Server(data, "--credential-life", "1m", "--listen", f"127.0.0.1:{port}").start()
    try:
        admin = s.client("s3")
        admin.create_bucket(Bucket="workflows")
        admin.put_object(Bucket="workflows", Key="w.yaml", Body=WAITING.encode())
        mwaa = s.client("mwaa-serverless")
        arn = mwaa.create_workflow(
            Name="waiting", RoleArn=ROLE, DefinitionS3Location={"Bucket": "workflows", "ObjectKey": "w.yaml"}
        )["WorkflowArn"]
        run = mwaa.start_workflow_run(WorkflowArn=arn)["RunId"]
        keys = until(lambda: next(iter(data.glob("attempts/*/work/keys")), None))
        uri, token, endpoint = keys.read_text().split()

        env = s.env()
        for name in list(env):
            if name.startswith("AWS_"):
                monkeypatch.delenv(name, raising=False)
        mine = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": uri, "AWS_CONTAINER_AUTHORIZATION_TOKEN": token,
            "AWS_ENDPOINT_URL": endpoint, "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
        }
        for name, value in mine.items():
            monkeypatch.setenv(name, value)
        session = botocore.session.Session()
        sts, s3 = session.create_client("sts"), session.create_client("s3")
        me = sts.get_caller_identity()
        assert me["Arn"] == f"arn:aws:sts::111122223333:assumed-role/etl/{run}.t.1"
        # Keys of a minute are renewed whenever they are used.
        credentials = session.get_credentials()
        first, second = (credentials.get_frozen_credentials().access_key for _ in range(2))
        assert first != second
        assert s3.get_object(Bucket="workflows", Key="w.yaml")["Body"].read().decode() == WAITING
        with pytest.raises(ClientError) as e:
            s3.list_objects_v2(Bucket="workflows")
        assert e.value.response["Error"]["Code"] == "AccessDenied"
        assert "no identity-based policy allows the s3:ListBucket action" in e.value.response["Error"]["Message"]
        with pytest.raises(ClientError) as e:
            session.create_client("mwaa-serverless").start_workflow_run(WorkflowArn=arn)
        assert e.value.response["Error"]["Code"] == "AccessDeniedException"

        s.stop(signal.SIGKILL)
        s.start()
        assert sts.get_caller_identity()["Arn"] == me["Arn"]
        cli = pathlib.Path(sys.executable).parent / "aws"
        said = subprocess.run([str(cli), "sts", "get-caller-identity"], env={**env, **mine, "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
                              capture_output=True, text=True, timeout=300)
        assert said.returncode == 0 and json.loads(said.stdout)["Arn"] == me["Arn"], said

        (keys.parent / "done").touch()
        mwaa = s.client("mwaa-serverless")
        until(lambda: mwaa.get_workflow_run(WorkflowArn=arn, RunId=run)["RunDetail"]["RunState"] == "SUCCESS")
        with pytest.raises(Exception, match="is over"):
            botocore.session.Session().create_client("sts").get_caller_identity()
    finally:
        s.stop()
