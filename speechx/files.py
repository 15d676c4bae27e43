"""Files that appear whole or not at all, on disk or behind an fsspec URL. No other module renames files or opens fsspec.

atomic_write("report.json", data)
with atomic_files(folder / "pcm.i16", folder / "index.jsonl") as (pcm, index):
    ...                                       # write to these two paths; both are renamed at the end
Storage("s3://bucket/voices").write("me.flac", data)
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import fcntl
import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

from speechx.errors import InputError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

__all__ = [
    "Storage",
    "StoredFile",
    "atomic_files",
    "atomic_write",
    "lock_file",
    "not_utf8",
    "read_json_lines",
    "read_text",
]

FULL = (errno.ENOSPC, errno.EDQUOT)

PathLike: TypeAlias = "str | os.PathLike[str]"


def read_text(path: PathLike, field: str, name: str = "") -> str:
    """A text file that somebody wrote: UTF-8, with or without a byte order mark.

    Raises InputError for `field`, whose message begins with `name` (default: the field): it cannot be read, or is no UTF-8.
    """
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name or field}: {path} {not_utf8(error)}", field=field) from error
    except OSError as error:
        raise InputError(f"{name or field}: {path} cannot be read: {error.strerror}", field=field) from error


def read_json_lines(path: PathLike, field: str) -> list[Any]:
    """The values of a file of JSON lines; blank lines are left out.

    Lines end at newlines alone: `str.splitlines` would cut a text at U+2028 or U+0085. Raises InputError for `field`.
    """
    found = []
    for number, line in enumerate(read_text(path, field).split("\n"), 1):
        if not line.strip():
            continue
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise InputError(f"{field}: {path} line {number} is not JSON: {error}", field=field) from None
    return found


def not_utf8(error: UnicodeDecodeError) -> str:
    """What a message says of the file, after its name."""
    encoding = "utf-16" if error.object[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "latin1"
    return f"is not UTF-8 text; convert it, for example with `iconv -f {encoding} -t utf-8`"


def atomic_write(path: PathLike, data: bytes) -> Path:
    """Write to a .tmp beside `path`, then rename. Raises InputError: full disk, missing folder, no permission."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return path


def _cannot_write(path: Path, error: OSError) -> InputError:
    reason = "the disk is full" if error.errno in FULL else error.strerror or str(error)
    return InputError(f"output: {path} cannot be written: {reason}", field="output")


@contextlib.contextmanager
def atomic_files(*paths: PathLike) -> Iterator[tuple[Path, ...]]:
    """A temporary path beside each path. At the end of the block they are renamed in order; after an error, removed.

    For files that are written in pieces, and for files that belong together. The block must write all of them.
    Raises InputError if another process is writing one of them, for a full disk, a missing folder, no permission.
    """
    goals = [Path(path) for path in paths]
    temporaries = tuple(goal.with_name(f"{goal.name}.tmp") for goal in goals)
    with contextlib.ExitStack() as locks:
        for temporary, goal in zip(temporaries, goals, strict=True):
            try:
                file = locks.enter_context(temporary.open("ab"))
            except OSError as error:
                raise _cannot_write(goal, error) from error
            lock_file(file, goal)
        try:
            yield temporaries
            for temporary, goal in zip(temporaries, goals, strict=True):
                temporary.replace(goal)
        except OSError as error:
            if error.errno in FULL:
                raise _cannot_write(goals[0], error) from error
            raise
        finally:
            for temporary in temporaries:
                with contextlib.suppress(OSError):
                    temporary.unlink(missing_ok=True)


def lock_file(file: BinaryIO, goal: Path) -> None:
    """Locks an open file until it is closed, or the process ends. Raises InputError, which names `goal`, if it is locked."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(f"output: another process is writing {goal}", field="output") from None
    except OSError:  # a disk without locks
        pass


@dataclass(frozen=True)
class StoredFile:
    """A file of a `Storage`. modified: seconds since 1970, None where the storage does not say."""

    name: str
    size: int
    modified: float | None


@dataclass(frozen=True)
class Storage:
    """The files of one folder, on disk or behind an fsspec URL. Can be pickled.

    field: the setting that InputError names where `root` cannot be used: an unknown protocol, a missing package.
    """

    root: str
    field: str = "output"

    @property
    def is_local(self) -> bool:
        protocol = self._open()[0].protocol
        return "file" in ((protocol,) if isinstance(protocol, str) else protocol)

    @property
    def path(self) -> str:
        """The folder's path in its file system: on a local one that of `pathlib`."""
        return self._open()[1]

    def make(self) -> None:
        """Make the folder, where it does not exist."""
        system, path = self._open()
        system.makedirs(path, exist_ok=True)

    def names(self) -> set[str]:
        """Names of the regular files in the folder (no pipe, no folder); none where it does not exist."""
        system, path = self._open()
        system.invalidate_cache()
        try:
            return {
                Path(entry["name"]).name for entry in system.ls(path, detail=True) if entry["type"] == "file"
            }
        except FileNotFoundError:
            return set()

    def files(self) -> list[StoredFile]:
        """The files in the folder with size and time. Raises FileNotFoundError where it does not exist."""
        system, path = self._open()
        system.invalidate_cache()
        found = []
        for entry in system.ls(path, detail=True):
            modified = entry.get("mtime") or entry.get("created") or entry.get("LastModified")
            if isinstance(modified, datetime):
                modified = modified.timestamp()
            seconds = None if modified is None else float(modified)
            found.append(StoredFile(Path(entry["name"]).name, entry["size"], seconds))
        return found

    def read(self, name: str) -> bytes:
        """The whole file. Raises FileNotFoundError where there is no regular file of this name."""
        system, path = self._open()
        if self.is_local and not os.path.isfile(f"{path}/{name}"):  # a pipe would be waited for
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), f"{path}/{name}")
        return bytes(system.cat_file(f"{path}/{name}"))

    def write(self, name: str, data: bytes) -> None:
        """Whole or not at all. The folder must exist."""
        system, path = self._open()
        if self.is_local:
            atomic_write(Path(path) / name, data)
        else:  # one put: object stores show all of an object or nothing
            system.pipe_file(f"{path}/{name}", data)

    def create(self, name: str, data: bytes) -> None:
        """As `write`, for a new file. Raises FileExistsError: of several writers at once one succeeds.

        On object storage as far as its fsspec file system keeps to mode "create" (S3, Google Cloud and memory do).
        """
        system, path = self._open()
        if self.is_local:
            target = Path(path) / name
            temporary = atomic_write(target.with_name(f".{name}.{uuid.uuid4().hex}"), data)
            try:
                os.link(temporary, target)
            except OSError as error:
                if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
                    raise
                with target.open("xb") as file:  # a file system without links
                    file.write(data)
            finally:
                temporary.unlink()
        else:
            system.pipe_file(f"{path}/{name}", data, mode="create")

    def is_folder(self) -> bool:
        """Whether the root is a folder that exists."""
        system, path = self._open()
        return bool(system.isdir(path))

    def exists(self, name: str) -> bool:
        system, path = self._open()
        system.invalidate_cache()  # of listings, which know no file that another machine has written since
        return bool(system.exists(f"{path}/{name}"))

    def remove(self, name: str) -> None:
        """Raises FileNotFoundError."""
        system, path = self._open()
        system.rm_file(f"{path}/{name}")

    def _open(self) -> tuple[AbstractFileSystem, str]:
        """(file system, the root's path in it)."""
        import fsspec

        try:
            system, path = fsspec.core.url_to_fs(self.root)
        except (ImportError, ValueError) as error:
            raise InputError(
                f"{self.field}: {self.root} cannot be used: {error}", field=self.field
            ) from error
        return system, path.rstrip("/")
