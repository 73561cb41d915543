"""Rewrites the README's session with the real output of its commands.

python scripts/session.py http://127.0.0.1:8000 photo.jpg
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
SHOWN_ADDRESS = "localhost:8000"
BEGIN, END = "<!-- session -->\n", "<!-- /session -->\n"

UPLOAD = f"curl --fail-with-body -s -F image=@photo.jpg {SHOWN_ADDRESS}/images/ | python3 -m json.tool"
FOLLOWING = [
    f"curl --fail-with-body -s '{SHOWN_ADDRESS}/jobs/ID?wait=10' | python3 -m json.tool",
    f"curl --fail-with-body -s -OJ -w '%{{size_download}} bytes\\n' {SHOWN_ADDRESS}/jobs/ID/results/thumbnail",
    f"printf '%%PDF-1.7' | curl --fail-with-body -s -F image=@- {SHOWN_ADDRESS}/images/ | python3 -m json.tool",
]


def run(command: str, address: str, folder: Path) -> str:
    """Runs the command in `folder` against the service at the URL `address`; returns what it prints."""
    real = command.replace(SHOWN_ADDRESS, address.removeprefix("http://"))
    return subprocess.run(["sh", "-c", real], cwd=folder, capture_output=True, text=True, check=True).stdout  # noqa: S607


def session(address: str, photo: Path) -> str:
    """Runs the session against the service; returns it as a console block."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(photo, Path(folder) / "photo.jpg")
        accepted = run(UPLOAD, address, Path(folder))
        found = re.search(r'"id": "([0-9a-f]{32})"', accepted)
        if found is None:
            raise SystemExit(f"the service refused the upload: {accepted}")
        lines = [f"$ {UPLOAD}\n{accepted}"]
        for command in FOLLOWING:
            command = command.replace("ID", found[1])
            lines.append(f"$ {command}\n{run(command, address, Path(folder))}")
    return "```console\n" + "".join(lines) + "```\n"


if __name__ == "__main__":
    block = session(sys.argv[1], Path(sys.argv[2]))
    text = README.read_text(encoding="utf-8")
    README.write_text(
        re.sub(f"{BEGIN}.*?{END}", lambda _: BEGIN + block + END, text, flags=re.DOTALL), encoding="utf-8"
    )
