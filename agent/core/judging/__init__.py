"""What the city's tools say of a policy: check, explain, diff, draft. No camera loads this."""
