"""What it costs to make an event of a webhook, beside the least that it could cost and beside Wappa and PyWa."""
