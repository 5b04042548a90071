"""What people and schedules ask for: reprocess, reconcile, audit, rebuild, dead letters, status.

It asks by messages; the work itself is `delivery`'s, which may not be imported.
"""
