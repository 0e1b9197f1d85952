"""Wappa's import paths over this pipeline: `s/from wappa/from pipeline.wappa/` moves an application over.

Nothing is implemented here but the application object, and Wappa's language of templates. Every other name is the
pipeline's own, under the path at which Wappa's users import it, for Wappa 0.1 and 0.31. docs/from-wappa.md lists the
differences and their reasons.
"""

from __future__ import annotations

from pipeline.topics.events import CustomWebhook
from pipeline.wappa.core.config.settings import settings
from pipeline.wappa.core.events.event_handler import WappaEventHandler
from pipeline.wappa.core.wappa_app import Wappa
from pipeline.wappa.not_offered import refusing

__version__ = settings.version
__getattr__ = refusing(__name__)

__all__ = ["CustomWebhook", "Wappa", "WappaEventHandler", "__version__"]
