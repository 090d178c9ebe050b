"""On a test's PYTHONPATH: a SuperNode asks more often whether there is work, and says more often
that it is there. Flower has no options for either (3 s and 30 s), and a test would wait for both.

SIGNFED_TEST_AHEAD: seconds by which the clock is ahead that a SuperNode dates its signatures with.
"""

import os
import sys
import time

if any(part.endswith(("flower-supernode", "app.node.supernode")) for part in sys.orig_argv):
    from flwr.common.constant import HEARTBEAT_MIN_INTERVAL
    from flwr.supercore import heartbeat
    from flwr.supernode import fleet_http_connection

    # Gone after 20 s and not 60. Not in flwr.common.constant itself: a message's process that lives
    # longer than that interval without a word would lose its token.
    heartbeat.HEARTBEAT_DEFAULT_INTERVAL = HEARTBEAT_MIN_INTERVAL
    fleet_http_connection.HEARTBEAT_DEFAULT_INTERVAL = HEARTBEAT_MIN_INTERVAL
    sleep = time.sleep
    time.sleep = lambda seconds: sleep(min(seconds, 0.3))

    if ahead := float(os.environ.get("SIGNFED_TEST_AHEAD", "0")):
        from datetime import timedelta

        from flwr.supernode import node_auth_http_interceptor

        right = node_auth_http_interceptor.now
        node_auth_http_interceptor.now = lambda: right() + timedelta(seconds=ahead)
