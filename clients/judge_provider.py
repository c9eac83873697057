"""The real Amazon provider of Airflow as judge of the operators.

Each case runs twice, as an operator of Fairlead and as the provider's class,
each against a moto of its own with the same things in it. The calls, the
XComs and the ends are compared, and a table says where they differ.

FAIRLEAD_PROVIDER names the interpreter with apache-airflow and
apache-airflow-providers-amazon; without it there is nothing to do. Run it
with the interpreter that `make moto` makes:

    FAIRLEAD_PROVIDER=PYTHON .venv-moto/bin/python clients/judge_provider.py [CASE...]
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

CHILD = r'''
import importlib, json, logging, os, signal, sys, types
def late(*_): raise TimeoutError('no end within 30 seconds')
signal.signal(signal.SIGALRM, late)
logging.disable(logging.CRITICAL)
out, sys.stdout = sys.stdout, sys.stderr
for line in sys.stdin:
    path, args = json.loads(line)
    pushed = {}
    ti = types.SimpleNamespace(xcom_push=lambda key, value, **_: pushed.update({key: value}), xcom_pull=lambda *_, **__: None,
                               task_id="t", dag_id="d", run_id="r", try_number=1, map_index=-1, start_date=None, stats_tags={})
    signal.alarm(30)
    try:
        module, _, name = path.rpartition(".")
        made = getattr(importlib.import_module(module), name)(task_id="t", aws_conn_id=None, **args)
        value, state = made.execute({"ti": ti, "task_instance": ti, "task": made, "ds": "2026-01-01", "run_id": "r", "params": {}}), "SUCCESS"
        if value is not None:
            pushed["return_value"] = value
    except BaseException as e:
        state = "NONE" if type(e).__name__ == "AirflowSkipException" else "FAILED"
        pushed["error"] = f"{type(e).__name__}: {e}"
    signal.alarm(0)
    print(json.dumps([state, pushed], default=str), file=out, flush=True)
'''

# What is new each time, and what only one of the two SDKs sends.
NEW = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b(?:j|s|i|jr)[-_][0-9A-Za-z]{8,}|127\.0\.0\.1:\d+|\b[0-9a-z]{16}\b|\b[a-z]{100,}\b|\b[0-9a-zA-Z]{52,56}\b|\bdb-[A-Z0-9]{26}\b|\bsg-[0-9a-f]{17}\b|20\d\d-\d\d-\d\d[T ][\d:.]+(?:Z|\+00:00)?|\b1[67]\d{8}(?:\.\d+)?\b")


def bare(value):
    """Leaves out what SDKs put in by themselves."""
    if isinstance(value, dict):
        return {
            k: bare(v) for k, v in value.items()
            if k not in ("ResponseMetadata", "encoding-type") and not (k in ("delimiter", "start-after") and v == "")
            and not (isinstance(v, dict) and "aws_domain" in v)  # what links to the console are made of
        }
    if isinstance(value, list):
        return [bare(v) for v in value]
    if isinstance(value, str) and value[:1] in "{[":
        try:
            return bare(json.loads(value))
        except ValueError:
            return value
    return value.replace("<Quiet>true</Quiet>", "") if isinstance(value, str) else value


def plain(value, names):
    """Words a value without what is new each time."""
    text = json.dumps(bare(value), sort_keys=True, ensure_ascii=False)
    text = re.sub(r"datetime\.datetime\([^()]*(?:\(\))?\)", "*", text)
    for name, is_ in sorted(names.items()):
        text = text.replace(is_, f"@{name}@")
    return NEW.sub("*", text)


def calls(front, names):
    """The calls since the last time, in words."""
    found, front.calls = front.calls, []
    return [f"{s}:{NEW.sub('*', op)} {plain(members, names)}" for s, op, members in found if "/wf/" not in op]


def main():
    provider = os.environ.get("FAIRLEAD_PROVIDER")
    if not provider or not os.access(provider, os.X_OK):
        print("FAIRLEAD_PROVIDER names no interpreter with Airflow's Amazon provider: nothing is judged")
        return 0
    os.environ.update(AWS_ACCESS_KEY_ID="AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY="secret", AWS_EC2_METADATA_DISABLED="true")
    import emulator
    from emulator_cases import CASES
    from test_moto import World, known, missing, script

    chosen = sys.argv[1:] or list(CASES)
    with tempfile.TemporaryDirectory(prefix="judge-") as directory:
        os.makedirs(directory + "/fairlead")
        ours, moto = World(pathlib.Path(directory) / "fairlead", script()), emulator.Moto()
        front = emulator.Front(moto.port, script())
        env = {**os.environ, "AWS_ENDPOINT_URL": front.url, "AWS_REGION": emulator.REGION, "AWS_DEFAULT_REGION": emulator.REGION,
               "AIRFLOW_HOME": directory, "AIRFLOW__CORE__UNIT_TEST_MODE": "False", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{directory}/x.db"}
        judge = subprocess.Popen([provider, "-B", "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env)
        try:
            names, absent, same = emulator.furnish(moto.port), missing(), 0
            for case in chosen:
                path, args, _ = CASES[case]
                if path.rpartition(".")[2] in absent:
                    print(f"{case:28} does not run here")
                    continue
                arn, run = ours.begin("j-" + case, json.dumps({"j": {"tasks": {"t": {"operator": path, "retries": 0, **known(args, ours.names)}}}}))
                state, tasks = ours.end(arn, run)
                mine = calls(ours.front, ours.names)
                task = tasks["t"]
                xcom = {k: json.loads(v) for k, v in task.get("Xcom", {}).items()}
                judge.stdin.write(json.dumps([path, known(args, names)]) + "\n")
                judge.stdin.flush()
                verdict, theirs = json.loads(judge.stdout.readline())
                error = theirs.pop("error", "")
                told = calls(front, names)
                wrong = []
                if verdict != task["Status"]:
                    wrong.append(f"state {task['Status']} ({task.get('ErrorMessage', '')}), theirs {verdict} ({error})")
                if mine != told:
                    wrong += ["calls", *("  ours   " + c[:400] for c in mine if c not in told), *("  theirs " + c[:400] for c in told if c not in mine)]
                    if sorted(mine) == sorted(told):
                        wrong.append("  in another order")
                    elif set(mine) == set(told):
                        wrong.append(f"  {len(mine)} times, theirs {len(told)}")
                if (a := plain(xcom, ours.names)) != (b := plain(theirs, names)):
                    from_ = max(0, len(os.path.commonprefix([a, b])) - 60)
                    wrong += ["xcom", "  ours   " + a[from_:from_ + 300], "  theirs " + b[from_:from_ + 300]]
                same += not wrong
                print(f"{case:28} {len(told):2} calls  {'the same' if not wrong else 'DIFFERENT'}", *wrong, sep="\n    ", flush=True)
            print(f"{same} of {len(chosen)} cases are the same")
        finally:
            judge.kill()
            ours.stop()
            front.stop()
            moto.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
