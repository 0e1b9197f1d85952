"""Sends by WhatsApp."""
