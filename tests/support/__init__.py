"""What tests share: sites, plants, servers and tools, none of which is a test."""

from pathlib import Path

FOLDER = Path(__file__).parent
