"""Archives whose bytes depend on nothing but their content: entries in the order given, with one time and no owner."""

import gzip
import io
import subprocess
import tarfile

# The time of the commit, so that two builds of it give the same archives.
TIME = int(subprocess.run(["git", "log", "-1", "--format=%ct"], check=True, capture_output=True, text=True).stdout)


def tar(entries):
    """Returns a tar archive of (name, content, mode) entries; a name that ends with `/` is a folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content, mode in entries:
            entry = tarfile.TarInfo(name.rstrip("/"))
            entry.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            entry.size, entry.mode, entry.mtime = len(content), mode, TIME
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def compressed(content):
    return gzip.compress(content, 9, mtime=0)
