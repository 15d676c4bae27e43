"""Where the processes of Ray Serve listen."""

from __future__ import annotations

from ray._common.network_utils import build_address
from ray.serve._private import replica
from ray.util import get_node_ip_address

__all__ = ["bind_to_node"]

_add_port = replica.add_port_to_grpc_server


def bind_to_node() -> None:
    """Bind the gRPC server of this replica to the address by which Ray knows its node: loopback for a Ray of our own.

    Ray Serve binds it to all interfaces and has no setting for that. It unpickles what it receives. Call this in the
    constructor of a deployment, after which Ray starts the server. A Ray without this function fails at the import.
    """
    address = build_address(get_node_ip_address(), 0)
    replica.add_port_to_grpc_server = lambda server, _: _add_port(server, address)
