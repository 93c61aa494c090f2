"""Run the code blocks of a page as its reader does: in their order, in one folder, in one session of each language."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from tests.docs.pages import Block

TIMEOUT = 600  # seconds
FILE_COMMENT = re.compile(r"^# (\S+\.py)\n", re.MULTILINE)
SEPARATOR = "-- next block --"  # between the outputs of a page's JavaScript blocks, which run as one script
PYTHON_SESSION = Path(__file__).with_name("python_session.py")


class Runner:
    """The folder and the sessions in which the code blocks of a page run, one after the other.

    A block of output (`text` or `json`) is compared with what the block before it printed.

    `replacements` are made in each block: examples of hosts, keys and passwords, with what the test has in their place.
    The environment variables that a block exports are set for the blocks after it.
    """

    def __init__(
        self,
        directory: Path,
        *,
        environment: Mapping[str, str],
        replacements: Mapping[str, str] | None = None,
        node_directory: Path | None = None,
    ) -> None:
        self.directory = directory
        self.environment = dict(environment)
        self.replacements = dict(replacements or {})
        self._node_directory = node_directory
        self._scripts: list[str] = []  # JavaScript of the page up to here
        self.output = ""  # of the last block that printed

    def run(self, block: Block) -> None:
        run = getattr(self, f"_run_{block.language}", None)
        assert run is not None, f"{block}: no test runs code blocks in {block.language!r}"
        try:
            run(self._replace(block.text))
        except (AssertionError, subprocess.SubprocessError, OSError) as error:
            raise AssertionError(f"{block} failed:\n{block.text}\n{error}") from error

    def close(self) -> None:
        if "_python" in vars(self):
            self._python.communicate(timeout=TIMEOUT)

    def write_file(self, name: str, text: str) -> None:
        """Add the text to the end of a file of the project in which the blocks run."""
        with (self.directory / name).open("a") as file:
            file.write(f"\n{text}")

    def _replace(self, text: str) -> str:
        for example, replacement in self.replacements.items():
            text = text.replace(example, replacement)
        return text

    def _run_sh(self, text: str) -> None:
        exported = self.directory / "exported"
        self.output = self.execute("bash", "-euc", f"{text}\nenv -0 > {exported}")
        pairs = exported.read_text().split("\0")
        self.environment |= dict(pair.split("=", 1) for pair in pairs if pair)

    def _run_python(self, text: str) -> None:
        if files := FILE_COMMENT.split(text)[1:]:
            for name, content in zip(files[::2], files[1::2], strict=True):
                self.write_file(name, content)
            return
        stdin, stdout, stderr = self._python.stdin, self._python.stdout, self._python.stderr
        stdin.write(f"{json.dumps(text)}\n")
        stdin.flush()
        line = stdout.readline()
        assert line, stderr.read()
        self.output = json.loads(line)

    def _run_javascript(self, text: str) -> None:
        assert self._node_directory
        script = self._node_directory / "documentation.mjs"
        self._scripts.append(text)
        script.write_text(f'\nconsole.log("{SEPARATOR}");\n'.join(self._scripts))
        self.output = self.execute("node", str(script)).rpartition(SEPARATOR)[2]

    def _run_typescript(self, text: str) -> None:
        """Do nothing: `tests/sdk/test_typescript.py` compiles the block and runs it."""

    def _run_csharp(self, text: str) -> None:
        """Send the body of the request to its endpoint: no machine of this project has .NET."""
        [endpoint] = re.findall(r'Endpoint = new Uri\("([^"]+)"\)', text)
        [body] = re.findall(r'"""\n(.*)\n *"""', text)
        assert "client.CreateConversationAsync(" in text
        key = self.environment[re.findall(r'GetEnvironmentVariable\("(\w+)"\)', text)[0]]
        headers = ("-H", f"Authorization: Bearer {key}", "-H", "Content-Type: application/json")
        self.output = self.execute("curl", "-sSf", f"{endpoint}/conversations", *headers, "-d", body)

    def _run_sql(self, text: str) -> None:
        self.execute("psql", "-q", "-v", "ON_ERROR_STOP=1", self.environment["DATABASE_URL"], "-c", text)

    def _run_json(self, text: str) -> None:
        """Compare the last output, in which ids and times differ each time: it must have the same layout and texts."""
        assert _without_variable_parts(self.output) == _without_variable_parts(text), self.output

    def _run_text(self, text: str) -> None:
        """Compare the last output, where `…` stands for any text."""
        pattern = ".*".join(map(re.escape, text.strip().split("…")))
        assert re.fullmatch(pattern, self.output.strip(), re.DOTALL), self.output

    def execute(self, *command: str) -> str:
        run = subprocess.run(
            command, cwd=self.directory, env=self.environment, capture_output=True, text=True, timeout=TIMEOUT
        )
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    @cached_property
    def _python(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-W", "error::DeprecationWarning", str(PYTHON_SESSION)],
            cwd=self.directory,
            env={**self.environment, "PYTHONPATH": f"{self.directory}:{self.environment.get('PYTHONPATH', '')}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def _without_variable_parts(text: str) -> str:
    text = re.sub(r"conv_[0-9a-f]{48}", "conv_…", text.strip())
    return re.sub(r'"created_at": \d{10}', '"created_at": …', text)
