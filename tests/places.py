"""Where things lie that tests read."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parent
ROOT = TESTS.parent
EXAMPLES = ROOT / "examples"
REAL_DATA = ROOT.parent / "shared" / "data"
"""Real files beside the project; tests that read them skip, saying so, where the folder is absent."""
