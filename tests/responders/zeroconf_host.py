"""Registers a host's addresses with python-zeroconf: zeroconf_host.py NAME.local ADDRESS...

Prints "ready" when the name has been probed and announced, then answers until it is killed.
python-zeroconf registers a host only as part of a service; this one is on the discard port.
"""

import ipaddress
import sys
import threading

from zeroconf import InterfaceChoice, IPVersion, ServiceInfo, Zeroconf


def main() -> None:
    name, *addresses = sys.argv[1:]
    packed = [ipaddress.ip_address(address) for address in addresses]
    versions = {address.version for address in packed}
    answers_over = {
        (4,): IPVersion.V4Only,
        (6,): IPVersion.V6Only,
        (4, 6): IPVersion.All,
    }[tuple(sorted(versions))]
    zeroconf = Zeroconf(interfaces=InterfaceChoice.All, ip_version=answers_over)
    label = name.removesuffix(".local")
    service = ServiceInfo(
        "_discard._tcp.local.",
        f"{label}._discard._tcp.local.",
        port=9,
        server=f"{name}.",
        addresses=[address.packed for address in packed],
    )
    zeroconf.register_service(service)
    print("ready", flush=True)
    threading.Event().wait()


main()
