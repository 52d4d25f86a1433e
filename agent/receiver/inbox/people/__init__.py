"""Who may come in to the inbox, who is in, and what each may do."""
