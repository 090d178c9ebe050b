"""What a node does: one NumPyClient per hosted worker, honest or Byzantine."""

from signfed.clients.adversary import Adversary
from signfed.clients.byzantine import ByzantineClient
from signfed.clients.coded import CodedGradients
from signfed.clients.encoders import ENCODERS, Encoder
from signfed.clients.honest import GradientFn, HonestClient, Memory, Poison

__all__ = [
    "ENCODERS",
    "Adversary",
    "ByzantineClient",
    "CodedGradients",
    "Encoder",
    "GradientFn",
    "HonestClient",
    "Memory",
    "Poison",
]
