"""Every test runs away from the user's home: its spools lie in a folder that goes."""

import os
import tempfile
from pathlib import Path

_FOLDER = tempfile.TemporaryDirectory(prefix="clerestory-tests-")
os.environ.setdefault("CLERESTORY_SPOOL_DIRECTORY", str(Path(_FOLDER.name) / "spool"))
os.environ.setdefault("XDG_STATE_HOME", str(Path(_FOLDER.name) / "state"))
