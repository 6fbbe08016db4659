"""Workers on several nodes meet by the interface that Ray knows their node by.

Gloo, left alone, takes the one that the host's own name leads to: on many Linux machines that is the loopback, and workers
on two of them never find each other ("connectFullMesh failed").
"""

from __future__ import annotations

import os
import socket
import struct
import sys

_VARIABLE = "GLOO_SOCKET_IFNAME"
_SIOCGIFADDR = 0x8915


def use_ray_interface() -> None:
    """In a worker of Ray's, before its process group: choose Gloo's interface, unless the environment does."""
    import ray

    name = interface_of(ray.util.get_node_ip_address())
    if name is not None:
        os.environ.setdefault(_VARIABLE, name)


def interface_of(address: str) -> str | None:
    """The name of the interface that has this IPv4 address; None where there is none, or the system can't say."""
    if sys.platform != "linux":
        return None
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for _, name in socket.if_nameindex():
            try:
                answer = fcntl.ioctl(any_socket, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
            except OSError:
                continue  # an interface without an IPv4 address
            if socket.inet_ntoa(answer[20:24]) == address:
                return name
    return None
