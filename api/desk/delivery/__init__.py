"""How what happens to tickets is told elsewhere: by mail, to Zammad, to a webhook."""
