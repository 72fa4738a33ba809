"""Routing: which doors a team visits on a day, in which order and when. Pure: a day goes in, a plan comes out; it knows
no database, no law and no people, only seconds, places, windows and prizes. The solver runs in a process of its own.
"""
