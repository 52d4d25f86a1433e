"""What may leave, to whom and until when: policy, charter, roster, budgets, bars, facts of law."""
