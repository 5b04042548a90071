"""What the stacks and the functions agree on: names of settings, and the permissions of each role.

It is read at synth, so neither pyarrow nor boto3 may be imported.
"""
