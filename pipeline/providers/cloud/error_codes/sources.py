"""The documents that the rows rest on."""

from __future__ import annotations

from typing import Final

from pipeline.providers.code_policy import Source

META: Final = Source("Meta", "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/")
GRAPH: Final = Source("Graph API", "https://developers.facebook.com/docs/graph-api/overview/rate-limiting/")
THROUGHPUT: Final = Source("throughput", "https://developers.facebook.com/docs/whatsapp/throughput/")
LIMITS: Final = Source("messaging limits", "https://developers.facebook.com/docs/whatsapp/messaging-limits/")
FLOWS: Final = Source("Flows", "https://developers.facebook.com/docs/whatsapp/flows/reference/error-codes/")
PYWA: Final = Source("PyWa", "https://pywa.readthedocs.io/en/latest/content/errors/overview.html")
"""The published list of a library, for codes of parts that no send calls."""
