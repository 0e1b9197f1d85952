"""What is sent by WhatsApp."""
