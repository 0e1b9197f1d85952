"""The limits of sending accounts, as pure logic: times are arguments, and nothing is awaited.

    learnt      the rate that an account's provider turned out to allow
    pairs       so many messages to one person
    account     all limits of one account, and the rows that keep them over restarts
    queue       the commands that wait for permits of one account, by priority

Times are unix seconds of a clock that never jumps while a process runs (`pipeline.clock.steady`).
"""
