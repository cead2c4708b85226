"""What the schema says of one configuration key.

In this file:
    key    for the field of a section's dataclass
    Key    the same, as tables and pages want it
"""

from collections.abc import Mapping
from dataclasses import dataclass

from maildrop.app.kinds import Kind


def key(
    kind: Kind, about: str, *, shown: str = "", example: str = ""
) -> Mapping[str, object]:
    """What is known of a key beside its type and default: field metadata.

    Args:
        kind: What may be written.
        about: Documentation.
        shown: The default in words, where it is not simply the value.
        example: TOML for the commented example, where the default says too little.
    """
    return {"kind": kind, "about": about, "shown": shown, "example": example}


@dataclass(frozen=True, slots=True)
class Key:
    """One key, as tables and pages want it.

    Attributes:
        section: Names of the tables it stands in: ``("mail", "special_use")``.
        name: Its own name.
        kind: What may be written.
        about: Documentation.
        default: Its value when it is left out, None if it must be given.
        shown: The default in words, if the value does not say it.
        example: TOML for the example file, empty for the default.
    """

    section: tuple[str, ...]
    name: str
    kind: Kind
    about: str
    default: object
    shown: str
    example: str

    @property
    def path(self) -> tuple[str, ...]:
        """Section and name."""
        return (*self.section, self.name)
