"""resolvers.py NETLOG NAME: prints which resolvers Chromium used for a name, according to its log of network events.

`system` is getaddrinfo, `own` is Chromium's own DNS client.
"""

import json
import sys

RESOLVERS = {"HOST_RESOLVER_SYSTEM_TASK": "system", "HOST_RESOLVER_DNS_TASK": "own"}


def main(path, name):
    with open(path, encoding="utf-8") as file:
        log = json.load(file)
    types = {number: name for name, number in log["constants"]["logEventTypes"].items()}
    hosts = (f"http://{name}", f"https://{name}", name)
    jobs, used = set(), set()
    for event in log["events"]:
        event_type, job = types[event["type"]], event["source"]["id"]
        if event_type == "HOST_RESOLVER_MANAGER_JOB" and event.get("params", {}).get("host") in hosts:
            jobs.add(job)
        if job in jobs and event_type in RESOLVERS:
            used.add(RESOLVERS[event_type])
    print(*sorted(used))


main(*sys.argv[1:])
