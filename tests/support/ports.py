"""Free ports for servers of the tests."""

from pipeline.local.free_ports import free_ports

__all__ = ["free_ports"]
