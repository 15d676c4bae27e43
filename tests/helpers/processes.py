"""Processes of this machine and the sockets on which they listen, read from /proc."""

from __future__ import annotations

import contextlib
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

__all__ = ["descendants", "listening", "name_of"]

LISTEN = "0A"


def descendants(pid: int) -> list[int]:
    """The process and all that it has started, directly or not, as far as they live."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[int(folder.name)] = int(parent)
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def name_of(pid: int) -> str:
    """What a process is: its title, without the arguments and the folder of its program or script.

    Of an actor of Ray that is the class; while one of its methods runs, Ray's title names that, too.
    """
    words = (Path("/proc") / str(pid) / "cmdline").read_text().split("\0")
    script = next((word for word in words if word.endswith(".py")), words[0])
    if not script.split():
        return ""
    name = Path(script.split()[0]).name
    return name.partition(".")[0] if name.startswith("ray::") else name


def listening(pids: list[int]) -> list[tuple[int, IPv4Address | IPv6Address, int]]:
    """(process, address, port) of every TCP socket on which they listen."""
    owners: dict[str, int] = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            for link in (Path("/proc") / str(pid) / "fd").iterdir():
                with contextlib.suppress(OSError):
                    owners.setdefault(str(link.readlink()), pid)
    found = []
    for table in ("tcp", "tcp6"):
        for line in (Path("/proc/net") / table).read_text().splitlines()[1:]:
            words = line.split()
            owner = owners.get(f"socket:[{words[9]}]")
            if words[3] == LISTEN and owner is not None:
                address, port = words[1].split(":")
                found.append((owner, _address(address), int(port, 16)))
    return found


def _address(text: str) -> IPv4Address | IPv6Address:
    """The kernel's hexadecimal, whose words of 4 bytes are in the order of this machine."""
    packed = b"".join(bytes.fromhex(text[at : at + 8])[::-1] for at in range(0, len(text), 8))
    address = ip_address(packed)
    return getattr(address, "ipv4_mapped", None) or address
