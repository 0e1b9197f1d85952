"""The machine: everything that moves WhatsApp traffic through Kafka. It knows no business."""
