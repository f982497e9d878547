"""Builds and verifies model packages: `python -m services.packages verify FOLDER...`."""

from services.packages.command import commands

if __name__ == "__main__":
    commands(prog_name="python -m services.packages")
