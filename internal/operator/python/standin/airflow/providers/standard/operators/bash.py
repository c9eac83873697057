"""BashOperator, for classes that derive from it."""

import os
import signal
import subprocess

from airflow.exceptions import AirflowException, AirflowSkipException
from airflow.sdk.bases.operator import BaseOperator


class BashOperator(BaseOperator):
    """Runs a command with bash."""

    template_fields = ("bash_command", "env", "cwd")
    template_fields_renderers = {"bash_command": "bash", "env": "json"}
    template_ext = (".sh", ".bash")
    ui_color = "#f0ede4"

    def __init__(self, *, bash_command, env=None, append_env=False, output_encoding="utf-8", skip_on_exit_code=99,
                 cwd=None, output_processor=lambda result: result, **kwargs):
        super().__init__(**kwargs)
        self.bash_command, self.env, self.append_env, self.cwd = bash_command, env, append_env, cwd
        self.output_encoding, self.output_processor = output_encoding, output_processor
        if isinstance(skip_on_exit_code, int):
            skip_on_exit_code = [skip_on_exit_code]
        self.skip_on_exit_code = list(skip_on_exit_code or [])
        self._process = None

    def get_env(self, context):
        env = dict(os.environ) if self.env is None or self.append_env else {}
        env.update({k: v for k, v in os.environ.items() if k.startswith("AIRFLOW_CTX_")})
        env.update(self.env or {})
        return env

    def execute(self, context):
        if self.cwd is not None and not os.path.isdir(self.cwd):
            raise AirflowException(f"Can not find the cwd: {self.cwd}")
        self._process = subprocess.Popen(
            ["bash", "-c", self.bash_command], env=self.get_env(context), cwd=self.cwd,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )
        line = ""
        for raw in self._process.stdout:
            line = raw.decode(self.output_encoding, errors="backslashreplace").rstrip()
            self.log.info("%s", line)
        code = self._process.wait()
        if code in self.skip_on_exit_code:
            raise AirflowSkipException(f"Bash command returned exit code {code}. Skipping.")
        if code != 0:
            raise AirflowException(f"Bash command failed. The command returned a non-zero exit code {code}.")
        return self.output_processor(line)

    def on_kill(self):
        if self._process and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
