#!/usr/bin/env python3
"""Writes the index of connectors: every connector of connectors.yaml with its feeds, URLs and limits, and
with what is wrong where it is invalid. python scripts/generate_connectors_index.py [--out FILE] [--json]
Standard library only."""

import sys

sys.dont_write_bytecode = True

import connector_manager  # noqa: E402

if __name__ == "__main__":
    sys.exit(connector_manager.run(["index", *sys.argv[1:]]))
