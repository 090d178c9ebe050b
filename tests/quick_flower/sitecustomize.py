"""On a test's PYTHONPATH: a SuperNode asks more often whether there is work, and says more often
that it is there. Flower has no options for either (3 s and 30 s), and a test would wait for both.
"""

import sys
import time

if any(part.endswith("flower-supernode") for part in sys.orig_argv):
    from flwr.common import constant

    constant.HEARTBEAT_DEFAULT_INTERVAL = constant.HEARTBEAT_MIN_INTERVAL  # gone after 20 s, not 60
    sleep = time.sleep
    time.sleep = lambda seconds: sleep(min(seconds, 0.3))
