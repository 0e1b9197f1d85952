"""What a handler can send, by family: a file has the methods of one family and how their bodies are made.

The bodies are those of `pipeline.topics.commands.CommandKind`, and the limits those of the Cloud API; they are checked
when the handler calls, so that what the provider would refuse is a result and not a failed outcome.
"""
