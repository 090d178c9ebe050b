"""What a node does: one NumPyClient per hosted worker, honest or Byzantine."""

from clients.adversary import Adversary
from clients.byzantine import ByzantineClient
from clients.coded import CodedGradients
from clients.encoders import ENCODERS, Encoder
from clients.honest import GradientFn, HonestClient, Memory, Relabel

__all__ = [
    "ENCODERS",
    "Adversary",
    "ByzantineClient",
    "CodedGradients",
    "Encoder",
    "GradientFn",
    "HonestClient",
    "Memory",
    "Relabel",
]
