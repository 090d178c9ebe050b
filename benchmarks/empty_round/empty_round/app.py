"""Rounds of messages that carry bytes and ask for nothing: what Flower itself costs."""

import json
import time
from pathlib import Path

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

PULL = 0.005  # seconds between two looks for replies, as in signfed

server = ServerApp()
client = ClientApp()


def content(n_bytes: int) -> RecordDict:
    """A record of so many bytes; empty for 0."""
    if not n_bytes:
        return RecordDict()
    return RecordDict({"arrays": ArrayRecord({"bytes": Array(np.zeros(n_bytes, np.uint8))})})


@client.train()
def train(message: Message, context: Context) -> Message:
    return Message(content(int(context.run_config["up"])), reply_to=message)


@server.main()
def main(grid: Grid, context: Context) -> None:
    config = context.run_config
    while len(nodes := list(grid.get_node_ids())) < config["nodes"]:
        time.sleep(0.2)
    down, seconds = content(int(config["down"])), []
    for _ in range(int(config["rounds"])):
        started = time.perf_counter()
        asked = [Message(down, node, "train") for node in nodes]
        waiting = set(grid.push_messages(asked))
        while waiting:
            replies = grid.pull_messages(waiting)
            waiting -= {reply.metadata.reply_to_message_id for reply in replies}
            if waiting:
                time.sleep(PULL)
        seconds.append(time.perf_counter() - started)
    Path(config["out"]).write_text(json.dumps(seconds))
