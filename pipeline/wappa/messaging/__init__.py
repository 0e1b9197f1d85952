"""Sends."""
