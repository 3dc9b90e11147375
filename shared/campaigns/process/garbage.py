"""How often Python looks for garbage in cycles: the same in verbs and in parts that serve."""

# Allocations between collections. With Python's 700 they delay pauses, take a seventh of the time
# of a verb that reads records, which make no cycles, and a twelfth of its start.
GC_AFTER = 50_000
