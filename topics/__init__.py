"""The contracts on the wire: the catalogue of topics, records and headers, events, commands, outcomes."""
