"""nginx with the nchan module: fills in `nchan.conf` and becomes nginx.

Run by `python -m benchmarks.peers.nchan PORT`.
"""

import os
import shutil
import sys
import tempfile
from glob import glob
from pathlib import Path
from string import Template

MODULES = ("/usr/lib*/nginx/modules", "/usr/local/lib*/nginx/modules", "/etc/nginx/modules")


def missing() -> str:
    if not program():
        return "no nginx on this machine"
    return "" if module() else "nginx has no nchan module here"


def program() -> str | None:
    return shutil.which("nginx") or shutil.which("/usr/sbin/nginx")


def module() -> str | None:
    found = [path for folder in MODULES for path in glob(f"{folder}/ngx_nchan_module.so")]
    return found[0] if found else None


def configuration(port: int, folder: Path) -> str:
    template = Template(Path(__file__).with_suffix(".conf").read_text())
    return template.substitute(module=module(), port=port, folder=folder)


def main(port: int) -> None:
    # The harness gives every server a TMPDIR that it removes afterwards.
    folder = Path(tempfile.gettempdir())
    file = folder / "nchan.conf"
    file.write_text(configuration(port, folder))
    os.execv(str(program()), ["nginx", "-p", str(folder), "-c", str(file)])


if __name__ == "__main__":
    main(int(sys.argv[1]))
