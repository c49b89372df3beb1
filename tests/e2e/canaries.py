"""What controllers keep on the API server for themselves, and no story is about: their canaries and their Lease."""

import re

LANE = "jobrun-canary"
ELECTION_ID = "jobrun-controller"
# In a path it may also stand for the opposite: all runs but the canaries.
_OF_CANARIES = re.compile(rf"(?<!!=)(?<!!%3D)(?<!%21%3D){LANE}", re.IGNORECASE)


def is_canary(run):
    return run["metadata"]["name"].startswith(LANE + "-")


def is_about_them(path, body=b""):
    """Whether that is what a request is about; `body` is the one of a request that creates."""
    if _OF_CANARIES.search(path) or path.partition("?")[0].endswith(f"/leases/{ELECTION_ID}"):
        return True
    return b'"%s-' % LANE.encode() in body or ("/leases" in path and b'"%s"' % ELECTION_ID.encode() in body)
