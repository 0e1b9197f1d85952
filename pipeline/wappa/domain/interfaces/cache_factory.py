"""`create_user_cache()`, `create_state_cache()`, `create_table_cache()`."""

from pipeline.state import ICacheFactory

__all__ = ["ICacheFactory"]
