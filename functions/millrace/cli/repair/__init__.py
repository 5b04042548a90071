"""Commands that steer a deployment: do work again, try dead letters again, mend the ledger."""
