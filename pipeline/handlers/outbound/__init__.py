"""The sends of the messenger, a file for each family: its methods, and the bodies of their commands.

The bodies are those of `pipeline.topics.commands.CommandKind`, and the limits those of the Cloud API. They are checked
when the handler calls, so that a send that the provider would reject is a failed result and not a failed outcome.
"""
