#!/usr/bin/env python3
"""The runbook's door to connectors: python scripts/connector_manager.py list|info|test|enable|disable|
validate|validate-all [name] [options]. Everything is done by `bun run ops connectors`; this only finds Bun
and passes words, output and exit code through. Relative paths are below the project, as with `bun run`.
Standard library only."""

import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
EXIT_UNAVAILABLE = 69


def bun():
    """The command that starts Bun here, or None."""
    if shutil.which("bun"):
        return ["bun"]
    if shutil.which("npx"):
        return ["npx", "-y", "bun@1.4"]
    return None


def run(words):
    """Exit code of `bun run ops connectors <words>`, run as the caller's own."""
    command = bun()
    if command is None:
        print("Bun is not installed, nor npx to get it: npm i -g bun@1.4", file=sys.stderr)
        return EXIT_UNAVAILABLE
    script = [os.path.join(ROOT, "scripts", "run.ts"), os.path.join("runtime", "cli", "ops.ts")]
    try:
        return subprocess.call([*command, *script, "connectors", *words], cwd=ROOT)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
