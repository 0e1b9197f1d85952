"""The wire contracts: topics, records and headers, events, commands, outcomes."""
