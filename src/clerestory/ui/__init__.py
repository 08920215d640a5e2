"""The built web page, as package data."""

from pathlib import Path
from typing import Final

DIST: Final = Path(__file__).parent / "dist"
