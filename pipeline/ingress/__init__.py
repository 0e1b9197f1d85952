"""The HTTP ingress: authenticate webhooks and API sends, publish them to Kafka, answer once they are acknowledged."""
