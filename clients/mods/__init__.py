"""Mods for anyone's ClientApp: updates as packed signs, a model that stays, a Byzantine worker."""
