"""Settings, logging, the application object and the base class of handlers."""
