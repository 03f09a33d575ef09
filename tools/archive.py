"""`python -m tools.archive [--out node.zip]`: what the registry would be sent, without its tools.

Tracked files less those that `.comfyignore` names, as `comfy node pack` takes them.
"""

from __future__ import annotations

import argparse
import subprocess
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def names(root: Path = ROOT) -> list[str]:
    """Paths of the files in the archive. Raises CalledProcessError where `root` is no git repository."""
    ignored = set(_listed(root, "--ignored", "--exclude-from=.comfyignore"))
    return [name for name in _listed(root) if name not in ignored and (root / name).exists()]


def _listed(root: Path, *options: str) -> list[str]:
    command = ["git", "ls-files", "-z", "--cached", *options]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return [name for name in done.stdout.split("\0") if name]


def write(path: Path, root: Path = ROOT) -> Path:
    """Write the archive."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names(root):
            archive.write(root / name, name)
    return path


def main() -> None:
    """Write the archive and say how large it is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("out/node.zip"))
    path = write(parser.parse_args().out)
    print(f"{path}: {len(names())} files, {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
