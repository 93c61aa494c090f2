"""Run a command in a terminal, and answer what it asks."""

import os
import select
import subprocess
from collections.abc import Mapping
from pathlib import Path

TIMEOUT = 600  # seconds without any output


def run_in_terminal(
    *command: str, directory: Path, environment: Mapping[str, str], answers: Mapping[str, str]
) -> tuple[int, str]:
    """Return the exit code and the output. `answers` are lines to type after these prompts.

    Programs that ask for a password read it from the terminal that controls their session, not from standard input.
    """
    terminal, terminal_of_command = os.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", *command],
        cwd=directory,
        env=environment,
        stdin=terminal_of_command,
        stdout=terminal_of_command,
        stderr=terminal_of_command,
    )
    os.close(terminal_of_command)
    try:
        output = ""
        while chunk := _read(terminal):
            output += chunk
            for prompt, answer in answers.items():
                if output.endswith(prompt):
                    os.write(terminal, f"{answer}\n".encode())
        return process.wait(TIMEOUT), output.replace("\r\n", "\n")
    finally:
        process.kill()
        process.wait()
        os.close(terminal)


def _read(terminal: int) -> str:
    """Return the next output, or "" at its end, which Linux reports as an error."""
    ready, _, _ = select.select([terminal], [], [], TIMEOUT)
    assert ready, f"no output for {TIMEOUT} seconds"
    try:
        return os.read(terminal, 4096).decode()
    except OSError:
        return ""
