"""resolvers.py NETLOG NAME: which resolvers Chromium took for a name, by its log of network events.

`system` is getaddrinfo, `own` its own DNS client.
"""

import json
import sys

RESOLVERS = {"HOST_RESOLVER_SYSTEM_TASK": "system", "HOST_RESOLVER_DNS_TASK": "own"}


def main(path, name):
    with open(path, encoding="utf-8") as file:
        log = json.load(file)
    kinds = {number: kind for kind, number in log["constants"]["logEventTypes"].items()}
    hosts = (f"http://{name}", f"https://{name}", name)
    jobs, taken = set(), set()
    for event in log["events"]:
        kind, job = kinds[event["type"]], event["source"]["id"]
        if kind == "HOST_RESOLVER_MANAGER_JOB" and event.get("params", {}).get("host") in hosts:
            jobs.add(job)
        if job in jobs and kind in RESOLVERS:
            taken.add(RESOLVERS[kind])
    print(*sorted(taken))


main(*sys.argv[1:])
