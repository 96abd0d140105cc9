"""Programs that use the console's API: their tokens, their repeated requests, their webhooks."""
