"""The sandbox's errors about what people ask of it. What providers answer is not among them.

SandboxError        one line says what is wrong and what to do
├── NotSupported    the sandbox does not stand in for this part of the provider
└── IngressAway     nobody answers where webhooks are to be posted
"""

from typing import ClassVar


class SandboxError(Exception):
    """Something is asked of the sandbox that can't be. `http` is the status it is answered with."""

    http: ClassVar[int] = 400


class NotSupported(SandboxError):
    """This part of the provider is not there."""

    http = 501


class IngressAway(SandboxError):
    """The ingress did not answer."""

    http = 502
