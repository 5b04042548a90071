"""`millrace demo`: a real deployment on a local emulator, with examples converted before your eyes.

Nothing but the command and the end-to-end suite may import it.
"""
