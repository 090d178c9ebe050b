"""What a node does: one NumPyClient per hosted worker, honest or Byzantine."""

from clients.byzantine import ByzantineClient
from clients.honest import GradientFn, HonestClient

__all__ = ["ByzantineClient", "GradientFn", "HonestClient"]
