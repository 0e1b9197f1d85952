"""`from pipeline.wappa.core.config import settings` gives the settings object, as Wappa's does."""

from pipeline.wappa.core.config.settings import settings

__all__ = ["settings"]
