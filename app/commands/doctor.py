"""`signfed doctor`."""

from __future__ import annotations

from signfed.app.commands.answer import Format, FormatOption, answer_findings


def doctor(form: FormatOption = Format.text) -> None:
    """Say what will not work on this machine, and what mends it.

    Versions, extras, cores, memory, GPU, Flower and Ray, free ports, and whether runs can be
    written here. A device of a federation: signfed node doctor. Exit code 1: an error was found.
    """
    from signfed.app.doctor.checks import examine_machine
    from signfed.app.doctor.machine import Machine

    answer_findings("doctor", form, examine_machine(Machine()))
