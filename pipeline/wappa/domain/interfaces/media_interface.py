"""Uploads, downloads and deletes media."""

from pipeline.handlers import IMediaHandler

__all__ = ["IMediaHandler"]
