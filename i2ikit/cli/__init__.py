"""The command line: parses, calls one library function, shows the result."""

from __future__ import annotations

from i2ikit.cli.app import main

__all__ = ["main"]
